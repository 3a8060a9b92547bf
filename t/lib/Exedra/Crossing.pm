# SPDX-License-Identifier: ISC
#
# The program and its database without one condition on the tenant: what is left to keep tenants apart is row-level
# security.  Texts are rewritten, and each is looked at afterwards: one that still names the tenant otherwise than as a
# value it writes or shows is told by name.
package Exedra::Crossing;
use strict;
use warnings;

use Exporter qw(import);
use File::Spec ();
use Exedra::Postgres qw(psql);
use Exedra::Process qw(slurp spew program build_dir tmp_dir);

our @EXPORT = qw(careless still_named careless_functions careless_program held_by);

my $paren = qr/(?<paren>\((?:[^()]++|(?&paren))*\))/;
my $name = qr/(?:\w+\.)*\w+/;
my $tenant = qr/(?:\b\w+\.)*\btenant_id\b/;

# A text of SQL in which every condition on a tenant holds.
sub careless {
    my ($sql) = @_;
    # (d.tenant_id, d.id) = (l.tenant_id, l.document_id)
    $sql =~ s/\($tenant,\s*([^()]*)\)\s*=\s*\($tenant,\s*([^()]*)\)/($1) = ($2)/g;
    $sql =~ s/$tenant\s+IN\s*$paren/true/g;
    $sql =~ s/$tenant\s*=\s*(?:$paren|$name(?:\(\)|(?:::\w+))?)/true/g;
    return $sql;
}

# What of a text without conditions still names the tenant, but for what it writes, shows or sets; '' when nothing does.
sub still_named {
    my ($sql) = @_;
    $sql =~ s/^\s*--.*$//mg;
    $sql =~ s/INSERT INTO exedra\.\w+(?: AS \w+)?\s*$paren/INSERT/g;
    $sql =~ s/ON CONFLICT\s*$paren|ON CONSTRAINT \w+//g;
    $sql =~ s/'(?:exedra\.)?tenant_id'|exedra\.tenant_id\(\)(?:\s+AS tenant_id)?//g;
    $sql =~ s/\bexedra\.\w+\($tenant[,)]//g;
    $sql =~ s/$tenant\s*(?::=|::text\b)//g;
    $sql =~ s/\b(SELECT|RETURNING|VALUES \()\s*((?:$name,\s*)*)$tenant(?=\s*,)/$1/g;
    return $sql =~ /^(.*tenant_id.*)$/m ? $1 : '';
}

# Rewrites the functions of a database that the workers' role may call (or a trigger calls) and that run with its rights;
# those that run as the owner are left as they are.  Returns the definitions that still name the tenant, { name => where }, and how many changed.
sub careless_functions {
    my ($db) = @_;
    my $found = psql($db, q{SELECT p.proname || E'\t' || encode(convert_to(pg_get_functiondef(p.oid), 'UTF8'), 'hex') || E'\t' || encode(convert_to(p.prosrc, 'UTF8'), 'hex')
        FROM pg_proc p WHERE p.pronamespace = 'exedra'::regnamespace AND NOT p.prosecdef
         AND (p.prorettype = 'trigger'::regtype OR has_function_privilege('} . $db->{role}{runtime} . q{', p.oid, 'EXECUTE')) ORDER BY 1});
    my (%left, $changed, $sql);
    for (split /\n/, $found) {
        my ($function, $definition, $body) = split /\t/;
        ($definition, $body) = map { pack 'H*', $_ } $definition, $body;
        my $new = careless($body);
        my $named = still_named($new);
        $left{$function} = $named if $named ne '';
        next if $new eq $body;
        $changed++;
        substr $definition, index($definition, $body), length $body, $new;
        $sql .= "$definition;\n";
    }
    psql($db, $sql);
    return (\%left, $changed);
}

# A copy of the build in which `exedra` has its statements without conditions, each in the place of the true one: the
# directory, for EXEDRA_BUILD.  Dies unless every statement of the list is found in the program.
sub careless_program {
    my (@files) = @_;
    my $dir = tmp_dir() . '/careless';
    mkdir $dir or die "$dir: $!\n";
    my $program = slurp(program('exedra'));
    for my $file (@files) {
        my $text = slurp($file);
        $text =~ s/\A(?:--.*\n)+//;
        $text =~ s/;\n\z//;
        my $new = careless($text);
        next if $new eq $text;
        $new .= ' ' x (length($text) - length $new);
        my $places = ($program =~ s/\0\Q$text\E\0/\0$new\0/g);
        die "$file: not in the program\n" if !$places;
    }
    spew("$dir/exedra", $program);
    chmod 0755, "$dir/exedra" or die "$dir/exedra: $!\n";
    symlink File::Spec->rel2abs(build_dir() . "/$_"), "$dir/$_" for qw(exedractl exedra-extract nginx);
    return $dir;
}

# All that a tenant has in a few words: the same as long as nothing of it changed.  How words are stored, and work that waits, is
# nobody's business, nor is when a key was last used.
sub held_by {
    my ($db, $tenant) = @_;
    return psql($db, qq{SELECT format('SELECT %L, md5(string_agg((to_jsonb(t) - ''used_at'')::text, chr(10) ORDER BY (to_jsonb(t) - ''used_at'')::text)) FROM exedra.%I t WHERE t.tenant_id = (SELECT id FROM exedra.tenant WHERE name = %L)',
        c.relname, c.relname, '$tenant') FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND c.relkind = 'r'
        WHERE c.relnamespace = 'exedra'::regnamespace AND c.relname NOT IN ('segment', 'segment_part', 'word', 'job') ORDER BY 1 \\gexec});
}

1;
