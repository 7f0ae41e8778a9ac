# bash completion for sonata                               -*- shell-script -*-
_sonata() {
    local rest=${COMP_LINE:0:COMP_POINT} words=() word last= space i lines directive line
    # Bash takes words apart at = and : too; here they are whole again, as far as the cursor.
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        space=${rest%%[^[:space:]]*}
        rest=${rest#"$space"}
        (( ${#word} > ${#rest} )) && word=$rest
        rest=${rest#"$word"}
        if [[ i -gt 0 && -z $space && ( $word == [=:]* || $last == *[=:] ) ]]; then
            words[-1]+=$word
        else
            words+=("$word")
        fi
        last=$word
    done
    mapfile -t lines < <(sonata __complete "${words[@]:1}" 2>/dev/null)
    (( ${#lines[@]} )) || return
    directive=${lines[-1]#:}
    unset 'lines[-1]'
    # What bash replaces begins after the last sign at which it took the word apart.
    [[ $last == [=:] ]] && last=
    word=${words[-1]%"$last"}
    COMPREPLY=()
    for line in "${lines[@]}"; do
        line=${line%%$'\t'*}
        COMPREPLY+=("${line#"$word"}")
    done
    (( directive & 2 )) && compopt -o nospace
    if (( (directive & 4) == 0 && ${#COMPREPLY[@]} == 0 )); then
        compopt -o default
    fi
}
complete -F _sonata sonata
