# bash completion for sonata                               -*- shell-script -*-
_sonata() {
    local words candidates directive line
    words=("${COMP_WORDS[@]:1:COMP_CWORD}")
    mapfile -t candidates < <(sonata __complete "${words[@]}" 2>/dev/null)
    directive=${candidates[-1]#:}
    unset 'candidates[-1]'
    COMPREPLY=()
    for line in "${candidates[@]}"; do COMPREPLY+=("${line%%$'\t'*}"); done
    if [[ ${COMP_WORDS[COMP_CWORD-1]} == "=" || ${COMP_WORDS[COMP_CWORD]} == *=* ]]; then
        COMPREPLY=("${COMPREPLY[@]#*=}")
    fi
    if (( (directive & 4) == 0 && ${#COMPREPLY[@]} == 0 )); then
        compopt -o default
    fi
}
complete -F _sonata sonata
