# Completion of caucus in bash. What fits is caucus' own answer ("caucus complete"), paths of nodes included.

_caucus() {
    local line=${COMP_LINE:0:COMP_POINT} word seen offered
    local -a words
    read -ra words <<<"$line"
    [[ $line == *[[:blank:]] ]] && words+=("")
    word=${words[-1]}

    mapfile -t offered < <("${1/#\~/$HOME}" complete -- "${words[@]:1}" 2>/dev/null | cut -f 1)
    case ${offered[0]} in
    :files)
        compopt -o default
        return
        ;;
    :command\ *)
        if ((${offered[0]#:command } == ${#words[@]} - 1)); then
            mapfile -t COMPREPLY < <(compgen -c -- "$word" | sort -u)
        fi
        compopt -o default
        return
        ;;
    /*)
        compopt -o nospace
        ;;
    esac

    # For bash a word ends at ':' and '=', too: it wants what is behind them.
    seen=${COMP_WORDS[COMP_CWORD]}
    [[ $seen == [:=] ]] && seen=
    COMPREPLY=("${offered[@]#"${word%"$seen"}"}")
}

complete -F _caucus caucus
