# Every statement under sql/ is good on a fresh database, and fast on a full one: with 10,000 tenants, as the workers' role
# under row-level security, none reads a tenant table but by an index that leads with the tenant, neither with a plan of its
# own nor with a generic one, and none of the functions and triggers behind it does.  A new statement needs parameters in
# t/lib/Exedra/Statements.pm.
use lib 't/lib';
use Exedra::Test;
use Exedra::Statements;

my $tenants = 10_000;
my $db = database();

my %statement = statements();

subtest 'on a fresh database' => sub {
    my $fresh = database();
    for my $as (qw(owner runtime)) {
        my @names = grep { m{^ctl/} ? $as eq 'owner' : $as eq 'runtime' } sort keys %statement;
        my $prepare = sub { my ($name) = @_; my $text = $statement{$name}; $text =~ /^CREATE /m ? $text : 'PREPARE '
            . $name =~ s{/}{_}r . " AS $text" };
        my $bad = psql_error($fresh, join('', map { $prepare->($_) . ";\n" } @names), as => $as);
        is $bad, '', @names . " statements can be prepared as the $as";
        diag "$_: " . psql_error($fresh, $prepare->($_), as => $as) for $bad ne '' ? @names : ();
    }
};

is_deeply [grep { !m{^ctl/} && !$PARAMETERS{$_} } sort keys %statement], [], 'this test has parameters for every statement';
is_deeply [grep { !$statement{$_} } sort keys %PARAMETERS], [], 'and for none that is gone';

fill_tenants($db, $tenants, 1500);           # the first is a big one

# ---- plans ----

my %sequential = map { $_ => 1 } qw(embedding_code segment segment_part word account chat chunk credential document document_text document_version embed embed_address embedded embedder embedding file file_part folder
    job open_chat provider setting tenant thread usage workspace workspace_account workspace_document workspace_file);

# What is wrong with a plan: "Seq Scan of chat" and the like.
sub faults {
    my ($node) = @_;
    my @faults = map { faults($_) } @{ $node->{Plans} // [] };
    my $table = $node->{'Relation Name'} // ($node->{'Node Type'} eq 'Bitmap Index Scan' ? $node->{'Index Name'} : undef);
    return @faults if !defined $table || $node->{'Node Type'} !~ /Scan$/ || $node->{'Node Type'} eq 'Bitmap Heap Scan';
    return @faults if $node->{'Relation Name'} && !$sequential{$table};
    my $condition = $node->{'Index Cond'} // '';
    return (@faults, "$node->{'Node Type'} of $table by '$condition'")
        if $node->{'Node Type'} !~ /Index/ || $condition !~ /\b(?:tenant_id|hash)\b/ && $table !~ /^(?:tenant|pg_)/;
    return @faults;
}

# SQL that explains one call in both ways as PostgreSQL would choose by itself, then runs it three times in a session as the
# program sets it up, counting the sequential scans that are really made.
sub examine {
    my ($name, $caller, $values) = @_;
    my $call = 's' . call_text($values, $caller);
    my $count = "SELECT coalesce(string_agg(relname || ' ' || seq_scan, ',' ORDER BY relname), '') FROM pg_stat_xact_user_tables
        WHERE schemaname = 'exedra' AND relname <> 'schema_version' AND seq_scan > 0;";
    my $session = 'DISCARD PLANS; PREPARE start AS ' . $statement{'session/start'} . "; EXECUTE start('30s'); DEALLOCATE start;";
    my $run = "SAVEPOINT before;\n\\echo \@run\nEXPLAIN (ANALYZE, FORMAT JSON) EXECUTE $call;\nROLLBACK TO before;\n";
    return "\\echo \@call\nPREPARE s AS $statement{$name};\nBEGIN;\n\\o /dev/null\nSELECT exedra.enter($caller->{HASH}, 10, false, 1, NULL);\n\\o\n"
        . join('', map { "SET LOCAL plan_cache_mode = force_${_}_plan;\n\\echo \@plan $_\nEXPLAIN (FORMAT JSON) EXECUTE $call;\n" }
            qw(custom generic))
        . "\\o /dev/null\n$session\n\\o\n\\echo \@scans\n$count\n$run$run$run\\echo \@scans\n$count\n\\echo .\nROLLBACK;\nDEALLOCATE s;\n";
}

# What goes through all tenants: it may read their names in one go, and take some milliseconds.
my %for_all = ('chat/fail_worker' => 2000, 'chat/sweep' => 2000, 'document/sweep' => 2000, 'embedder/note' => 2000, 'job/waiting' => 2000, 'event/plan' => 4000);
# Deletes a big tenant's thousands of rows one by one, by their references.
my %slow = ('user/delete' => 2000, 'embedder/sweep' => 2000, 'knowledge/files' => 500, 'event/expire' => 500);

# Who calls; how many milliseconds a call may take; which statements are for this caller.
my @callers = (['one of 10,000', caller_of(5000, 'key'), 5, qr/./], ['a big tenant', caller_of(1, 'key'), 100, qr{^(?!chat/(?:fail_worker|sweep)|document/sweep|event/plan|(?:file|knowledge)/(?:delete_all|list))}],
    ['an account with the role default', caller_of(5000, 'anna'), 5,
    qr{^(?:session/|chat/(?!fail_worker|sweep)|chunk/show|segment/find|word/|embedding/(?:code|read)|embedder/(?:choose|serve)|vector_store/|usage/|workspace/(?:find|list|search|show)|thread/|model/)}]);
# What is wrong with a call, by what its examination printed, and its best time.
sub verdict {
    my ($name, $out) = @_;
    my %got;
    (undef, my @parts) = split /^\@(.*)\n/m, $out;
    while (my ($what, $text) = splice @parts, 0, 2) { push @{ $got{$what} }, $text }
    my @wrong = map { my $how = $_; map { "$how plan: $_" } faults(json_value($got{"plan $how"}[0])->[0]{Plan}) } qw(custom generic);
    my ($before, $after) = map { /(.*)/ } @{ $got{scans} };
    s/(?:^|,)tenant \d+// for $for_all{$name} ? ($before, $after) : ();     # earlier calls' stand in both until they are reported
    push @wrong, "sequential scans: '$before' before it ran, '$after' after" if $before ne $after;
    my ($best) = sort { $a <=> $b } map { json_value($_)->[0]{'Execution Time'} } @{ $got{run} };
    return (\@wrong, $best);
}

sub examined {
    my ($caller, @calls) = @_;
    my (undef, @results) = split /^\@call\n/m, psql($db, join('', map { examine($_->[0], $caller, $_->[1]) } @calls), as => 'runtime');
    return @results;
}

for (@callers) {
    my ($who, $caller, $limit_ms, $may) = @$_;
    subtest $who => sub {
        my @calls = map { my $name = $_; map { [$name, $_] } @{ $PARAMETERS{$name} } } grep { $_ =~ $may } sort keys %PARAMETERS;
        my @results = examined($caller, @calls);
        for my $call (@calls) {
            my ($name, $values) = @$call;
            my $most = $for_all{$name} // $slow{$name} // $limit_ms;
            my ($wrong, $best) = verdict($name, shift @results);
            # A machine with other work has moments without any.
            for (my $more = 0; $best > $most && $more < 20; $more++) {
                (undef, my $again) = verdict($name, examined($caller, $call));
                $best = $again if $again < $best;
            }
            is_deeply [@$wrong, $best > $most ? "$best ms" : ()], [], "$name (" . join(', ', @$values) . ')';
        }
    };
}

done_testing;
