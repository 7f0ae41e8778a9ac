# fish completion for sonata
function __sonata_complete
    set -l words (commandline -opc) (commandline -ct)
    sonata __complete $words[2..-1] 2>/dev/null | string match -v -r '^:\d+$'
end
complete -c sonata -f -a '(__sonata_complete)'
