# Tenants are kept apart by row-level security, not by the conditions of the statements: with every condition on the tenant
# taken out of the program's statements and of the functions behind them, nobody gets at another tenant's things.
# Statement by statement, as the workers' role of one tenant with another's ids, names, slugs and uuids; then by HTTP, with
# a program whose statements have no such conditions, along the route table.  That the same finds crossings where there is
# no row-level security is shown too.
use lib 't/lib';
use Exedra::Test;
use Exedra::Statements;
use Exedra::Crossing;
use Exedra::RouteSuite;

my %statement = statements();
delete @statement{grep { m{^ctl/} } keys %statement};
my ($OWN, $FOREIGN, $NOBODY) = (2, 3, 99);
my ($own, $foreign, $nobody) = map { caller_of($_, 'key') } $OWN, $FOREIGN, $NOBODY;

# Whose number, ticket and key one has, one may use: calls with all of these words of another are left out.
my %right = ('session/enter' => [['HASH']], 'session/visit' => [['EMBEDADDRESS']], 'session/resume' => [[qw(TENANT CHAT TICKET)]],
    'session/work' => [[qw(JOB TICKET)]], 'job/end' => [[qw(JOB TICKET)]], 'chat/close' => [[qw(TENANT CHAT TICKET)]],
    'limit/settle' => [[qw(TENANT TICKET)]], 'key/note_uses' => [['HASH']],
    'account/open_session' => [['TENANT']], 'account/refuse_sign_in' => [['TENANT']],       # what sign-in calls once it knows who somebody says they are
    'chat/keep' => [[qw(TENANT CHAT TICKET)]], 'chat/stopped' => [['HASH'], [qw(TENANT CHAT)]]);   # a process asks it of the chats that it has open itself
# Work on what any tenant has left lying, which shows nothing of it to anybody.
my %for_all = map { $_ => 1 } qw(chat/fail_worker chat/sweep document/sweep embedder/note event/plan job/claim);

# ---- the texts ----

my %careless = map { $_ => careless($statement{$_}) } keys %statement;

subtest 'no condition is left' => sub {
    is_deeply [map { my $where = still_named($careless{$_}); $where eq '' ? () : "$_: $where" } sort keys %careless], [], 'in statements';
    cmp_ok scalar(grep { $careless{$_} ne $statement{$_} } keys %statement), '>=', 80, 'many had some';
    is still_named(careless('SELECT FROM exedra.chat c WHERE c.id = 1 AND c.tenant_id > 4')) ne '', 1, 'one that is written otherwise would be told';
};

my $db = database(roles => 'two');
fill_tenants($db, 4, 0);
my @marked = (['workspace', 'name'], ['thread', 'name'], ['chat', 'prompt'], ['chat', 'answer'], ['chunk', 'text'], ['document_text', 'text'],
    (map { ['document', $_] } qw(title author description)), ['account', 'username'], ['account', 'bio'], ['account', 'password'], ['provider', 'model'], ['provider', 'url'], ['setting', 'value'],
    ['usage', 'model'], ['file_part', 'bytes'], ['invite', 'hint'], ['file', 'name']);
psql($db, join '', 'SET session_replication_role = replica;', map { "UPDATE exedra.$_->[0] SET $_->[1] = 'SECRET' WHERE tenant_id = $FOREIGN;" } @marked);

subtest 'nor in functions that run as their caller' => sub {
    my ($left, $changed) = careless_functions($db);
    is_deeply $left, {}, 'none names the tenant';
    cmp_ok $changed, '>=', 30, 'many did';
    is psql($db, "SELECT count(*) FROM pg_class c WHERE c.relnamespace = 'exedra'::regnamespace AND c.relkind = 'v'
        AND has_table_privilege('$db->{role}{runtime}', c.oid, 'SELECT')"), 0,
        'and views are not for the workers';
};

subtest 'functions that run as the owner' => sub {
    is psql($db, "SELECT bool_or(rolsuper OR rolbypassrls) FROM pg_roles WHERE rolname IN ('$db->{role}{owner}', '$db->{role}{runtime}')"), 'f',
        'are bound by row-level security as their caller is';
    is psql($db, "SELECT count(*) FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND c.relkind = 'r'
        WHERE c.relnamespace = 'exedra'::regnamespace AND relrowsecurity AND NOT relforcerowsecurity"), 0, 'for it is forced';
};

# ---- no row gets to another tenant ----

subtest 'nobody writes rows of another' => sub {
    my @tables = split /\n/, psql($db, "SELECT relname FROM pg_class WHERE relnamespace = 'exedra'::regnamespace AND relrowsecurity ORDER BY 1");
    for my $table (@tables) {
        my $write = sub { psql_error($db, "BEGIN; SELECT exedra.enter($own->{HASH}, 10, false, 1, NULL); $_[0]; COMMIT", as => 'runtime') };
        is $write->("INSERT INTO exedra.$table OVERRIDING SYSTEM VALUE SELECT (jsonb_populate_record(t, '{\"tenant_id\":$FOREIGN}')).* FROM exedra.$table t"), '42501', "$table: none is added"
            if psql($db, "SELECT count(*) FROM exedra.$table WHERE tenant_id = $OWN") > 0;
        my $moved = $write->("UPDATE exedra.$table SET tenant_id = $FOREIGN");
        is $moved, '42501', '... none is given away' if psql($db, "SELECT count(*) FROM exedra.$table WHERE tenant_id = $OWN") > 0;
    }
};

# ---- statement by statement ----

# The calls of a statement: [values, words that are the other's], for every choice of whose each word is.
sub calls {
    my ($name) = @_;
    my @calls;
    for my $values (@{ $PARAMETERS{$name} }) {
        my %word = map { $_ => 1 } grep { $own->{$_} } join(' ', @$values) =~ /(?:\b|(?<='[tfx]))([A-Z]{3,})\b/g;
        my @words = sort keys %word;
        for my $choice (0 .. 2 ** @words - 1) {
            my %theirs = map { $words[$_] => 1 } grep { $choice >> $_ & 1 } 0 .. $#words;
            next if grep { my $all = $_; !grep { !$theirs{$_} } @$all } @{ $right{$name} };
            push @calls, [$values, [sort keys %theirs]];
        }
    }
    return @calls;
}

# SQL that makes the call in a transaction of ours and says what came of it; then what the other tenant has.
sub one_call {
    my ($values, $theirs, $who) = @_;
    my $call = 's' . call_text($values, { %$own, map { $_ => $who->{$_} } @$theirs });
    return "\\echo \@call\nBEGIN;\nSET LOCAL ROLE $db->{role}{runtime};\n\\o /dev/null\nSELECT exedra.enter($own->{HASH}, 10, false, 1, NULL);\n\\o\n"
        . "EXECUTE $call;\n\\echo :ERROR :LAST_ERROR_SQLSTATE :LAST_ERROR_MESSAGE\nSET CONSTRAINTS ALL IMMEDIATE;\nRESET ROLE;\n"
        . "\\echo \@print\nSELECT exedra.print($FOREIGN);\nROLLBACK;\n";
}

# Runs all calls of the statements; returns { name => [what is wrong] }.
sub crossings {
    my (@names) = @_;
    my %wrong;
    for my $name (@names) {
        my @calls = calls($name);
        my $sql = "SET ROLE $db->{role}{runtime};\nPREPARE s AS $careless{$name};\nRESET ROLE;\nSELECT exedra.print($FOREIGN);\n"
            . join('', map { my ($values, $theirs) = @$_; map { one_call($values, $theirs, $_) } $foreign, $nobody } @calls);
        my $ran = run([Exedra::Postgres::psql_command($db->conninfo('super')), '-v', 'ON_ERROR_STOP=0'], stdin => $sql, timeout => 120);
        my ($before, @results) = split /^\@call\n/m, $ran->{out};
        chomp $before;
        for my $call (@calls) {
            my ($with, $without) = splice @results, 0, 2;
            push @{ $wrong{$name} }, map { "$_ (" . join(', ', @{ $call->[0] }) . "), @{ $call->[1] } of another" }
                faults($name, $before, $with // '', $without // '');
        }
    }
    return \%wrong;
}

sub faults {
    my ($name, $before, $with, $without) = @_;
    my ($got, $print) = split /^\@print\n/m, $with;
    my ($none) = split /^\@print\n/m, $without;
    return "it did not run: $got" if $got !~ /^(?:true|false) \w{5} /m;
    my @faults;
    push @faults, 'shows: ' . substr $got, 0, 300 if $got =~ /SECRET|534543524554/;
    chomp($print //= $before);          # an error: all is undone
    push @faults, 'changes what they have' if $print ne '' && $print ne $before && !$for_all{$name};
    push @faults, 'not like what is not there: ' . plain($got) . ' / ' . plain($none) if plain($got) ne plain($none);
    return @faults;
}

# Without what differs between any two calls.
sub plain {
    my ($text) = @_;
    return $text =~ s/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/<uuid>/gr =~ s/\\x[0-9a-f]*/<bytes>/gr =~ s/\d+/#/gr =~ s/\n/ | /gr;
}

# All rows of a tenant in a few letters, whoever asks for it as a superuser.
psql($db, 'DO $$ BEGIN EXECUTE (SELECT format(\'CREATE FUNCTION exedra.print(t bigint) RETURNS text LANGUAGE plpgsql AS $x$ BEGIN RETURN (SELECT md5(string_agg(x, \'\',\'\')) FROM (%s) y (x)); END $x$\',
        \'SELECT md5(x::text) FROM exedra.tenant x WHERE x.id = t \' || string_agg(format(\'UNION ALL SELECT md5(string_agg(x::text, \'\',\'\' ORDER BY x::text)) FROM exedra.%I x WHERE x.tenant_id = t\', c.relname), \' \'))
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = \'tenant_id\' WHERE c.relnamespace = \'exedra\'::regnamespace AND c.relkind = \'r\'); END $$');

my @names = sort grep { $PARAMETERS{$_} } keys %statement;
is_deeply [grep { !$PARAMETERS{$_} } sort keys %statement], [], 'there are parameters for every statement';
my $crossings = crossings(@names);
is_deeply $crossings->{$_} // [], [], $_ for @names;

subtest 'without row-level security the same would be seen' => sub {
    psql($db, join '', map { "ALTER TABLE exedra.$_ DISABLE ROW LEVEL SECURITY;" }
        split /\n/, psql($db, "SELECT relname FROM pg_class WHERE relnamespace = 'exedra'::regnamespace AND relrowsecurity"));
    my @had = grep { $careless{$_} ne $statement{$_} } @names;
    my $open = crossings(@had);
    my @blind = grep { !$open->{$_} } @had;
    cmp_ok scalar @blind, '<=', @had / 5, (@had - @blind) . ' of ' . @had . ' statements cross' or diag join ' ', @blind;
};

# ---- by HTTP ----

my $house = database(roles => 'two');
careless_functions($house);
{
    local $ENV{EXEDRA_BUILD} = careless_program(map { "sql/$_.sql" } keys %statement);
    my $exedra = start_exedra(db => $house);
    route_suite(db => $house, server => $exedra, apart => 1);
    ok $exedra->stop, 'the program without conditions ends well';
}

done_testing;
