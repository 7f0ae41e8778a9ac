"""`sonata completion SHELL`: a script that asks `sonata __complete` at each tab."""

from __future__ import annotations

from sonata_core.lite import TYPE_CHECKING

if TYPE_CHECKING:
    from sonata.cli.call import Call
    from sonata.cli.pflag import Parsed

BASH = r"""# bash completion for sonata                               -*- shell-script -*-
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
"""

ZSH = r"""#compdef sonata
compdef _sonata sonata

_sonata() {
    local -a lines described
    lines=("${(@f)$(sonata __complete "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    local directive=${lines[-1]#:} line name
    lines=("${(@)lines[1,-2]}")
    for line in $lines; do
        name=${${line%%$'\t'*}//:/\\:}
        if [[ $line == *$'\t'* ]]; then
            described+=("${name}:${line#*$'\t'}")
        else
            described+=("$name")
        fi
    done
    if (( $#described )); then
        _describe sonata described
    elif (( ! (directive & 4) )); then
        _files
    fi
}

# Not when this file is read by `source`, only when zsh loads it as the function.
if [[ $funcstack[1] == _sonata ]]; then
    _sonata
fi
"""

FISH = r"""# fish completion for sonata
function __sonata_complete
    set -l words (commandline -opc) (commandline -ct)
    set -l lines (sonata __complete $words[2..-1] 2>/dev/null)
    set -l directive (string replace ':' '' -- $lines[-1])
    set -e lines[-1]
    if test (count $lines) -gt 0
        printf '%s\n' $lines
    else if test (math "bitand($directive, 4)") -eq 0
        __fish_complete_path (commandline -ct)
    end
end
complete -c sonata -f -a '(__sonata_complete)'
"""

POWERSHELL = r"""# powershell completion for sonata
Register-ArgumentCompleter -Native -CommandName 'sonata' -ScriptBlock {
    param($WordToComplete, $CommandAst, $CursorPosition)
    $Words = @($CommandAst.CommandElements | Select-Object -Skip 1 |
        Where-Object { $_.Extent.EndOffset -le $CursorPosition } | ForEach-Object { "$_" })
    if ($WordToComplete -eq '') {
        # Windows' own way with an empty argument would drop it.
        $Words += if ($PSVersionTable.PSVersion -ge [version]'7.3') { '' } else { '""' }
    }
    $Lines = @(& sonata __complete @Words 2>$null)
    if ($Lines.Count -eq 0) { return }
    [int]$Directive = $Lines[-1].TrimStart(':')
    $Found = @($Lines | Select-Object -SkipLast 1 | ForEach-Object {
        $Name, $Text = $_.Split("`t", 2)
        if (-not $Text) { $Text = ' ' }
        $Space = if (($Directive -band 2) -eq 0) { ' ' } else { '' }
        [System.Management.Automation.CompletionResult]::new("$Name$Space", $Name, 'ParameterValue', $Text)
    })
    if ($Found.Count -eq 0 -and ($Directive -band 4) -ne 0) { return '' }
    $Found
}
"""

_SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH, "powershell": POWERSHELL}


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
