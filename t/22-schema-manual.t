# exedra-schema(7) tells the tables, columns and functions of the schema as a live database does, each described.
# After a change of the schema the page is made again:
#   perl t/22-schema-manual.t --page >man/new && mv man/new man/exedra-schema.7
use lib 't/lib';
use Exedra::Test;

my $page = slurp('man/exedra-schema.7');
if (@ARGV && $ARGV[0] eq '--page') {
    my $file = spew(tmp_dir() . '/page', $page);
    my $ran = run([$^X, 'tools/schema-manual.pl', database()->conninfo('owner'), $file]);
    print STDERR $ran->{err};
    print slurp($file);
    exit $ran->{status};
}
my ($checked_in) = $page =~ /^\.\\" The rest up to END is made by [^\n]*\n(.*)^\.\\" END$/ms;

for my $setup (qw(one two)) {
    my $db = database(roles => $setup);
    my $ran = run([$^X, 'tools/schema-manual.pl', $db->conninfo('owner')]);
    is $ran->{status}, 0, "tools/schema-manual.pl, roles: $setup" or diag $ran->{err};
    ok $ran->{out} eq $checked_in, 'the page is what it prints'
        or diag difference($checked_in, $ran->{out}), 'make it again: perl t/22-schema-manual.t --page >man/new && mv man/new man/exedra-schema.7';
    unlike $ran->{out}, qr/^Not described\.$/m, 'every table and every function has a comment';
}

# The lines that only one of two texts has.
sub difference {
    my ($old, $new) = @_;
    my %old = map { $_ => 1 } split /\n/, $old;
    my %new = map { $_ => 1 } split /\n/, $new;
    return join '', (map { "- $_\n" } grep { !$new{$_} } split /\n/, $old), (map { "+ $_\n" } grep { !$old{$_} } split /\n/, $new);
}

# What the manual promises of roles and of dumps.
my $db = database(roles => 'two');
tenant($db, 'acme');
psql($db, q{SELECT exedra.work_for(exedra.find_tenant('acme'), NULL, 30);
    INSERT INTO exedra.workspace (tenant_id, name, slug) SELECT id, 'Kept', 'kept' FROM exedra.tenant});

subtest 'what an owner sees' => sub {
    is psql($db, 'SELECT count(*) FROM exedra.workspace', as => 'owner'), 0, 'nothing, before it says for whom it works';
    is psql($db, q{BEGIN; SELECT exedra.work_for(exedra.find_tenant('acme'), NULL, 30); SELECT slug FROM exedra.workspace; COMMIT},
        as => 'owner') =~ s/^\n//r, 'kept', 'then the rows of that tenant';
    is psql($db, 'SELECT slug FROM exedra.workspace'), 'kept', 'a superuser sees them all';
};

subtest 'dumps' => sub {
    my ($dump) = sort { ($b =~ /(\d+)/)[0] <=> ($a =~ /(\d+)/)[0] } glob '/usr/lib/postgresql/*/bin/pg_dump';
    plan skip_all => 'pg_dump is missing' if !defined $dump;
    my $got = run([$dump, '-d', $db->conninfo('owner')]);
    isnt $got->{status}, 0, "the owner's fails";
    like $got->{err}, qr/row-level security/, 'and says why';
    $got = run([$dump, '--enable-row-security', '-d', $db->conninfo('owner')]);
    is $got->{status}, 0, 'with --enable-row-security it succeeds';
    unlike $got->{out}, qr/\tkept\t/, 'and has lost everything';
    $got = run([$dump, '-d', $db->conninfo('super')]);
    is $got->{status}, 0, "a superuser's succeeds";
    like $got->{out}, qr/\tkept\t/, 'and is whole';
};

done_testing;
