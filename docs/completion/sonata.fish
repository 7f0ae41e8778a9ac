# fish completion for sonata
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
