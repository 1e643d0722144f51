# header_page.awk: a public header as a page of the manual (mdoc), for it has all there is to say.
#
#   awk -v date="May 1, 2026" -v folder=man3 -v others="caucus caucus_lock" -f header_page.awk include/caucus/lock.h
#
# Writes folder/caucus_lock.3 (of caucus.h: caucus.3), and for each function a page that leads there. Comments
# become text, what is indented in them stays as it is, and so do declarations.

function name_of(file) {
    sub(/.*\//, "", file)
    sub(/\.h$/, "", file)
    return file == "caucus" ? file : "caucus_" file
}

function escaped(line) {
    gsub(/\\/, "\\e", line)
    if (line ~ /^[.']/)
        line = "\\&" line
    return line
}

# Of text: *a word* is emphasized, and a sentence begins a line.
function prose(line) {
    line = escaped(line)
    while (match(line, /\*[a-z][a-z ]*\*/))
        line = substr(line, 1, RSTART - 1) "\\fI" substr(line, RSTART + 1, RLENGTH - 2) "\\fP" \
               substr(line, RSTART + RLENGTH)
    gsub(/[.] +/, ".\n", line)
    return line
}

function put(line) {
    print line > page
}

# "": text; else a display of lines as they are.
function set_mode(wanted) {
    if (mode != wanted && mode != "")
        put(".Ed")
    if (mode != wanted && wanted != "")
        put(".Bd -literal")
    mode = wanted
    if (wanted != "") {
        is_first = 0
        gap = 1
    }
}

function paragraph() {
    set_mode("")
    gap = 1
}

function put_text(line) {
    if (gap && !is_first)
        put(".Pp")
    gap = is_first = 0
    put(prose(line))
}

function begin_section(macro) {
    set_mode("")
    put(macro)
    is_first = 1
}

function comment_line(line) {
    if (line ~ /^-+ *\*?$/)
        return
    if (line ~ /^---- /) {
        gsub(/^-+ | *-+( \*)?$/, "", line)
        begin_section(".Ss " line)
    } else if (line ~ /^ *$/) {
        if (mode == "")
            paragraph()
        else
            blank = 1
    } else if (line ~ /^  /) {
        set_mode("indented")
        if (blank)
            put("")
        blank = 0
        put(escaped(line))
    } else {
        if (blank)
            paragraph()
        set_mode("")
        blank = 0
        put_text(line)
    }
}

function end_comment() {
    blank = 0
    paragraph()
}

function take_comment(line,    ends) {
    ends = line ~ /\*\/ *$/
    sub(/^(\/\*| \*) ?/, "", line)
    sub(/ *\*\/ *$/, "", line)
    if (!titled) {
        sub(/^[a-z_]+\.h: /, "", line)
        sub(/\.$/, "", line)
        begin_page(line)
    } else {
        comment_line(line)
    }
    in_comment = !ends
    if (ends)
        end_comment()
}

function begin_page(title) {
    titled = 1
    put(".Dd " date)
    put(".Dt " toupper(name) " 3")
    put(".Os")
    put(".Sh NAME")
    put(".Nm " name)
    put(".Nd " title)
    put(".Sh LIBRARY")
    put("libcaucus (pkg-config caucus)")
    put(".Sh SYNOPSIS")
    file = FILENAME
    sub(/.*include\//, "", file)
    put(".In " file)
    begin_section(".Sh DESCRIPTION")
}

function take_code(line) {
    set_mode("code")
    if (line ~ /^CAUCUS_API/)
        function_line = ""
    function_line = function_line " " line
    if (function_line ~ /^ CAUCUS_API/ && match(function_line, /caucus_[a-z0-9_]+\(/)) {
        print ".so man3/" name ".3" > (folder "/" substr(function_line, RSTART, RLENGTH - 1) ".3")
        function_line = ""
    }
    sub(/^CAUCUS_API /, "", line)
    put(escaped(line))
}

FNR == 1 {
    name = name_of(FILENAME)
    page = folder "/" name ".3"
}
in_comment || /^\/\*/ {
    if (!in_comment && mode == "code")
        paragraph()
    take_comment($0)
    next
}
/^#/ { # its lines that go on are the codes of error.h
    next
}
/^ *X\(|^    CAUCUS_ERROR_MAP/ {
    set_mode("code")
    gsub(/^ *X\(|\).*$/, "")
    put(escaped($0))
    next
}
/^extern "C"|^}$/ {
    next
}
/^ *$/ {
    if (mode == "code")
        paragraph()
    next
}
{
    take_code($0)
}
END {
    begin_section(".Sh SEE ALSO")
    count = split(others, list, " ")
    for (i = 1; i <= count; i++)
        if (list[i] != name)
            also = also (also == "" ? "" : " ,\n") ".Xr " list[i] " 3"
    put(also)
}
