# Jobs stand in one line, and tenants take turns in it: who hands in a thousand files holds nobody up for longer than who hands in one.
use lib 't/lib';
use Exedra::Test;

my $db = database();
my %id = map { tenant($db, $_); $_ => psql($db, "SELECT id FROM exedra.tenant WHERE name = '$_'") } qw(large small late);
my %name = reverse %id;
psql($db, 'DELETE FROM exedra.job');    # what a new tenant is looked through for

# So many jobs of a tenant, their subjects from here on.
sub enqueue { my ($name, $from, $n) = @_; psql($db, "INSERT INTO exedra.job (tenant_id, kind, subject_id) SELECT $id{$name}, 'read_file', i FROM generate_series($from, $from + $n - 1) i") }

sub claim { my ($job, $tenant, $subject) = split /\t/, psql($db, q{SELECT job_id, tenant_id, subject_id FROM exedra.claim_job('w')}); return { id => $job, is => defined $job ? "$name{$tenant} $subject" : '' } }
sub end { my ($job) = @_; psql($db, "DELETE FROM exedra.job WHERE id = $job->{id}") }
sub claims { my ($n) = @_; return [map { my $job = claim(); end($job) if $job->{is}; $job->{is} } 1 .. $n] }

subtest 'turns' => sub {
    enqueue(large => 1, 1000);
    is_deeply claims(3), ['large 1', 'large 2', 'large 3'], 'one by one, the oldest first';
    enqueue(small => 1, 2);
    is_deeply claims(4), ['large 4', 'small 1', 'large 5', 'small 2'], 'who comes later is not behind all of them';
    my $slow = claim();
    is $slow->{is}, 'large 6', 'a slow one';
    claims(200);
    enqueue(late => 1, 100);
    my $next = claims(20);
    is_deeply [grep { /^late/ } @$next], [map { "late $_" } 1 .. 10], 'nor who comes much later';
    is scalar(grep { /^large/ } @$next), 10, '… nor before all of them';
    end($slow);
    psql($db, "UPDATE exedra.job SET due_at = now() + interval '1 hour'");
    enqueue(small => 10, 1);
    is_deeply claims(2), ['small 10', ''], 'what is not due yet stands in nobody\'s way';
};

subtest 'hands' => sub {
    psql($db, 'DELETE FROM exedra.job');
    enqueue(large => 1, 5);
    my @held = map { claim() } 1 .. 4;
    is_deeply [map { $_->{is} } @held], ['large 1', 'large 2', 'large 3', ''], 'a tenant has three of a worker\'s at most';
    is((split /\t/, psql($db, q{SELECT tenant_id, subject_id FROM exedra.claim_job('another')}))[1], 4, 'another worker has its own');
    enqueue(small => 1, 1);
    is claim()->{is}, 'small 1', 'who comes then does not wait';
    end($held[0]);
    is claim()->{is}, 'large 5', 'one ends, the next begins';
};

subtest 'who stands aside' => sub {
    psql($db, 'DELETE FROM exedra.job');
    enqueue(large => 1, 3);
    enqueue(small => 1, 2);
    psql($db, "UPDATE exedra.tenant SET suspended_at = now() WHERE name = 'large'");
    is_deeply claims(3), ['small 1', 'small 2', ''], 'a suspended tenant';
    psql($db, "UPDATE exedra.tenant SET suspended_at = NULL WHERE name = 'large'");
    my ($job, $ticket) = split /\t/, psql($db, q{SELECT job_id, ticket FROM exedra.claim_job('w')});
    psql($db, "SELECT exedra.end_job($job, '$ticket', 'It broke.', 1); UPDATE exedra.job SET due_at = now()");
    is_deeply claims(3), ['large 2', 'large 3', 'large 1'], 'a job that failed goes to the end of its own';
};

done_testing;
