"""`sonata completion SHELL`: a script that asks `sonata __complete` at each tab."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed

BASH = r"""# bash completion for sonata                               -*- shell-script -*-
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
"""

ZSH = r"""#compdef sonata
_sonata() {
    local -a lines described
    lines=("${(@f)$(sonata __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    local directive=${lines[-1]#:} line
    lines=("${(@)lines[1,-2]}")
    for line in $lines; do
        described+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    done
    if (( $#described )); then
        _describe sonata described
    elif (( ! (directive & 4) )); then
        _files
    fi
}
compdef _sonata sonata
"""

FISH = r"""# fish completion for sonata
function __sonata_complete
    set -l words (commandline -opc) (commandline -ct)
    sonata __complete $words[2..-1] 2>/dev/null | string match -v -r '^:\d+$'
end
complete -c sonata -f -a '(__sonata_complete)'
"""

_SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def command(parsed: Parsed, _call: Call) -> int:
    """Print the script of the named shell, or write it to `--file`."""
    script = _SCRIPTS[parsed.args[0]]
    if parsed["no-desc"]:
        script = script.replace("sonata __complete", "sonata __completeNoDesc")
    path = parsed["file"]
    if path:
        with open(path, "w", encoding="utf-8") as out:
            out.write(script)
    else:
        print(script, end="")
    return 0
