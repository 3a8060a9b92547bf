# Builds SQL files into C: statements (sql/<noun>/<verb>.sql) as `const struct stmt sql_<noun>_<verb>`, schema and
# function files as lists for exedractl.  Usage: awk -f embed.awk -v part=header|statements|scripts FILE...
# A statement's comment stays in the file; what PostgreSQL gets begins at its first line of SQL.  "Shares its transaction" at
# the beginning of a comment's line is for store/db.c: requests that wait for a connection may run it in one commit.  "Notes an
# event" too: the database is told where the request comes from.

function quote(line) {
	gsub(/\\/, "\\\\&", line)
	gsub(/"/, "\\\"", line)
	gsub(/\?\?/, "?\\?", line)
	return "\t\"" line "\\n\"\n"
}

function finish() {
	if (name == "")
		return
	if (part == "header")
		printf "extern const struct stmt sql_%s;\n", name
	else if (part == "statements") {
		sub(/;\\n"\n$/, "\"\n", text)
		printf "const struct stmt sql_%s = {\"%s\", %d, %d, %s, %s,\n%s};\n\n", name, name, number, n_params, shares, notes, text
	}
	number++
}

FNR == 1 {
	if (part != "scripts")
		finish()
	n = split(FILENAME, piece, "/")
	base = piece[n]
	sub(/\.sql$/, "", base)
	name = piece[n - 1] "_" base
	text = ""
	n_params = 0
	shares = notes = "false"
	if (part == "scripts") {
		if (number++ > 0)
			print "\t},"
		printf "\t{\"%s\", \"%s\",\n", piece[n - 1], base
	}
}

part == "scripts" { printf "%s", quote($0); next }

/^-- Shares its transaction/ { shares = "true" }
/^-- Notes an event/ { notes = "true" }
/^--/ && text == "" { next }

{
	rest = $0
	while (match(rest, /\$[0-9]+/)) {
		k = substr(rest, RSTART + 1, RLENGTH - 1) + 0
		if (k > n_params)
			n_params = k
		rest = substr(rest, RSTART + RLENGTH)
	}
	text = text quote($0)
}

BEGIN {
	print "/* Made by sql/embed.awk from the files under sql/. */"
	if (part == "header")
		print "#ifndef EXEDRA_STATEMENTS_H\n#define EXEDRA_STATEMENTS_H\n\n#include \"store/stmt.h\"\n"
	else if (part == "statements")
		print "#include \"statements.h\"\n"
	else
		print "#include \"ctl/script.h\"\n\nconst struct script scripts[] = {"
}

END {
	if (part == "scripts") {
		if (number > 0)
			print "\t},"
		print "\t{0},\n};"
	} else
		finish()
	if (part == "header")
		printf "\nenum { N_STATEMENTS = %d };\nextern const struct stmt *const all_statements[N_STATEMENTS];\n\n#endif\n", number
	else if (part == "statements") {
		print "const struct stmt *const all_statements[N_STATEMENTS] = {"
		for (i = 1; i < ARGC; i++)
			if (ARGV[i] ~ /\.sql$/) {
				n = split(ARGV[i], piece, "/")
				base = piece[n]
				sub(/\.sql$/, "", base)
				printf "\t&sql_%s_%s,\n", piece[n - 1], base
			}
		print "};"
	}
}
