#!/usr/bin/perl
# SPDX-License-Identifier: ISC
#
# tools/schema-manual.pl CONNINFO [PAGE]: prints the sections of exedra-schema(7) that the database itself tells:
# tables, columns and functions with their comments.  With a page, puts them between its two marks instead.
use strict;
use warnings;

my ($conninfo, $page) = @ARGV;
die "usage: schema-manual.pl CONNINFO [PAGE]\n" if !defined $conninfo || @ARGV > 2;

our $begin = qq{.\\" The rest up to END is made by tools/schema-manual.pl.\n};
our $end = qq{.\\" END\n};

# Rows of a query as arrays; NULL is ''.  Records end with \x1e: comments may hold line ends.
sub rows {
    my ($sql) = @_;
    open my $psql, '-|', 'psql', qw(-X -q -A -t -v ON_ERROR_STOP=1 -F), "\x1f", '-R', "\x1e", '-d', $conninfo, '-c', $sql
        or die "psql: $!\n";
    binmode $psql, ':utf8';
    local $/;
    my $text = <$psql> // '';
    close $psql or die "schema-manual.pl: psql failed\n";
    chomp $text;
    $text =~ s/\n\z//;
    return map { [split /\x1f/, $_, -1] } split /\x1e/, $text;
}

# ---- mdoc ----

# A text as lines of mdoc: a sentence a line, nothing taken for a macro.
sub text {
    my ($text) = @_;
    $text =~ s/\\/\\e/g;
    $text =~ s/\s+/ /g;
    $text =~ s/(?<=[.?!]) (?=[A-Z])/\n/g;
    $text =~ s/^(?=[.'])/\\&/gm;
    return "$text\n";
}

# Words for a macro's line: one that mdoc would take for a macro or for punctuation is shielded.
sub words {
    my ($text) = @_;
    $text =~ s/\\/\\e/g;
    return join ' ', map { /^(?:[A-Z][a-z]|[][().,:;?!|])\z/ ? "\\&$_" : $_ } split / /, $text;
}

# ---- tables ----

my @tables = map { { name => $_->[0], comment => $_->[1], tenant => $_->[2] eq 't', view => $_->[3] eq 'v' } } rows(q{
    SELECT c.relname, obj_description(c.oid, 'pg_class'), c.relrowsecurity, c.relkind
      FROM pg_class c WHERE c.relnamespace = 'exedra'::regnamespace AND c.relkind IN ('r', 'p', 'v') ORDER BY c.relname});

my (%columns, %keys, %policies);
push @{ $columns{$_->[0]} }, $_ for rows(q{
    SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, col_description(c.oid, a.attnum)
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
     WHERE c.relnamespace = 'exedra'::regnamespace AND c.relkind IN ('r', 'p', 'v') AND a.attnum > 0 AND NOT a.attisdropped
     ORDER BY c.relname, a.attnum});
push @{ $keys{$_->[0]} }, $_->[1] for rows(q{
    SELECT c.relname, regexp_replace(pg_get_constraintdef(k.oid), 'exedra\.', '', 'g')
      FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
     WHERE c.relnamespace = 'exedra'::regnamespace AND k.contype IN ('p', 'u', 'f')
     ORDER BY c.relname, position(k.contype::text IN 'puf'), k.conname COLLATE "C"});
push @{ $policies{$_->[0]} }, $_->[1] for rows(q{
    SELECT tablename, policyname FROM pg_policies
     WHERE schemaname = 'exedra' AND permissive = 'RESTRICTIVE' ORDER BY tablename, policyname});

sub put_table {
    my ($table) = @_;
    my $name = $table->{name};
    my $out = '.Ss ' . words($name) . "\n";
    $out .= text($table->{comment} || 'Not described.');
    $out .= text('Accounts that do not see all of their tenant are narrowed further by the policy ' . join(' and ', @{ $policies{$name} }) . '.')
        if $policies{$name};
    $out .= ".Bl -tag -width Ds -compact\n";
    for my $column (@{ $columns{$name} }) {
        my (undef, $column_name, $type, $not_null, $comment) = @$column;
        $out .= '.It Va ' . words($column_name) . ' : ' . words($type) . ($not_null eq 't' || $table->{view} ? '' : ' or NULL') . "\n";
        $out .= text($comment) if $comment ne '';
    }
    $out .= ".El\n";
    $out .= ".Pp\n" . join('', map { ".D1 " . words($_) . "\n" } @{ $keys{$name} }) if $keys{$name};
    return $out;
}

# ---- functions ----

# What the workers' role may call is what grant_runtime() says.
my $grants = join '', map { $_->[0] } rows(q{
    SELECT p.prosrc FROM pg_proc p WHERE p.pronamespace = 'exedra'::regnamespace AND p.proname = 'grant_runtime'});

my @functions = map { {
    name => $_->[0], arguments => $_->[1], result => $_->[2], comment => $_->[3], n_defaults => $_->[4], workers => $grants =~ /exedra\.\Q$_->[0]\E\(/ ? 1 : 0,
} } rows(q{
    SELECT p.proname, replace(pg_get_function_identity_arguments(p.oid), 'exedra.', ''),
           replace(pg_get_function_result(p.oid), 'exedra.', ''), obj_description(p.oid, 'pg_proc'), p.pronargdefaults
      FROM pg_proc p WHERE p.pronamespace = 'exedra'::regnamespace AND p.prokind = 'f'
     ORDER BY p.proname COLLATE "C", pg_get_function_identity_arguments(p.oid) COLLATE "C"});

sub put_functions {
    my @list = @_;
    my $out = ".Bl -tag -width Ds\n";
    for my $function (@list) {
        $out .= '.It Fn ' . $function->{name} . join('', map { qq{ "$_"} } split /, /, $function->{arguments}) . "\n";
        $out .= text($function->{comment} || 'Not described.');
        my $n = $function->{n_defaults};
        $out .= text($n == 1 ? 'The last argument may be left out.' : "The last $n arguments may be left out.") if $n;
        $out .= text("Result: $function->{result}.") if $function->{result} ne 'void';
    }
    return "$out.El\n";
}

# ---- all of it ----

my $made = ".Sh DIRECTORY TABLES\n"
    . text('They say which tenant a credential belongs to, and hold no content. They have no row-level security: the role of the workers has no right on them and calls functions instead.')
    . join('', map { put_table($_) } grep { !$_->{tenant} && !$_->{view} } @tables)
    . ".Sh TENANT TABLES\n"
    . text('They hold everything else. Row-level security is enabled and forced on each of them.')
    . join('', map { put_table($_) } grep { $_->{tenant} } @tables)
    . ".Sh VIEWS OF THE ADMINISTRATOR\n"
    . text('Each is over all tenants; where one is asked for a tenant by name, only that tenant is looked into. None shows a hash, a sealed key or a password. Reading one leaves the transaction working for the last tenant that it looked into.')
    . join('', map { put_table($_) } grep { $_->{view} } @tables)
    . ".Sh FUNCTIONS OF THE ADMINISTRATOR\n"
    . text('Those of admin_functions() run as the owner, for the owner and for the role of administrators; the others as their caller, who must be the owner. An error has an SQLSTATE of the class EX, whose digits are an HTTP status.')
    . put_functions(grep { !$_->{workers} } @functions)
    . ".Sh FUNCTIONS OF THE WORKERS\n"
    . text('The role of the workers may call these, and no other function of the schema.')
    . put_functions(grep { $_->{workers} } @functions);

if (!defined $page) {
    binmode STDOUT, ':utf8';
    print $made;
    exit 0;
}
open my $in, '<:utf8', $page or die "$page: $!\n";
my $whole = do { local $/; <$in> };
close $in;
$whole =~ s/(?<=\Q$begin\E).*(?=\Q$end\E)/$made/s or die "$page: the marks are not there\n";
open my $out, '>:utf8', $page or die "$page: $!\n";
print $out $whole;
close $out or die "$page: $!\n";
