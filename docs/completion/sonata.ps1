# powershell completion for sonata
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
