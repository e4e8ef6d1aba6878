# SPDX-License-Identifier: MIT
# Completion of mortise's command line for fish. Actions, options and arguments are read from what
# --help prints, which the program generates from its own tables.

# Candidates for an argument with this name in the help; the part of the word before them is $argv[2].
function __mortise_value
    set -l name (string replace -ra '[][<>]' '' -- $argv[1])
    switch $name
        case '*|*'
            printf "$argv[2]%s\n" (string split '|' -- $name)
        case DIR
            printf "$argv[2]%s\n" (__fish_complete_directories (string replace -- "$argv[2]" '' (commandline -ct)) '')
        case name
            string match -v control -- (string replace -r '.*/' '' -- /dev/mapper/*)
        case FILE PATH 'NAME=PATH' device '*file'
            printf "$argv[2]%s\n" (__fish_complete_path (string replace -- "$argv[2]" '' (commandline -ct)))
    end
end

# __mortise_takes HELP... WORD: print the name of the argument that the option WORD takes.
function __mortise_takes
    set -l word (string escape --style=regex -- $argv[-1])
    string replace -rf -- "^  (?:-.,|   ) $word=([^ ]*) .*" '$1' $argv[1..-2]
    string replace -rf -- "^  $word, --[^ =]*=([^ ]*) .*" '$1' $argv[1..-2]
end

function __mortise_complete
    set -lx PATH $PATH /usr/sbin /sbin
    set -l words (commandline -opc)
    set -l current (commandline -ct)
    set -l action
    set -l at 2
    while test $at -le (count $words)
        if not string match -q -- '-*' $words[$at]
            set action $words[$at]
            break
        end
        set at (math $at + 1)
    end
    set -l help ($words[1] $action --help 2>/dev/null)
    or return

    set -l value
    if string match -q -- '--*=*' $current
        set -l option (string split -m 1 = -- $current)[1]
        set value (__mortise_takes $help $option)
        test -n "$value"; and __mortise_value $value "$option="
        return
    end
    if string match -q -- '-?*' $words[-1]
        set value (__mortise_takes $help $words[-1])
        if test -n "$value"
            __mortise_value $value ''
            return
        end
    end
    if string match -q -- '-*' $current
        string replace -rf -- '^  (?:-.,|   ) (--[^ =]*=?)[^ ]* +(.*)' '$1\t$2' $help
        string split ' ' -- (string replace -rf -- '^Every action also takes ' '' $help)
    else if test -z "$action"
        string replace -rf -- '^\t([A-Za-z0-9]*) .* - (.*)' '$1\t$2' $help
    else
        set -l arguments (string replace -- '[--type <type>]' '' $help[1] |
            string replace -r -- '^Usage: .* \[OPTION...\] [^ ]* ' '' |
            string match -ra -- '<[^>]*>|\[[a-z0-9|-]*\]')
        set -l seen 1
        set at (math $at + 1)
        while test $at -le (count $words)
            if test -n "$(__mortise_takes $help $words[$at])"
                set at (math $at + 1)
            else if not string match -q -- '-*' $words[$at]
                set seen (math $seen + 1)
            end
            set at (math $at + 1)
        end
        # The name of a mapping exists already, unless open makes it.
        if contains -- $action open luksOpen; and test $seen -gt 1
            return
        end
        test $seen -le (count $arguments); and __mortise_value $arguments[$seen] ''
    end
end

complete -c mortise -f -a '(__mortise_complete)'
