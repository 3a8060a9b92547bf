# Requests that wait for the one connection share a transaction: two tenants', those of nobody, those about nothing, all at
# once.  Each gets its own answer, nothing stands with the wrong tenant, and one commit serves several.
use lib 't/lib';
use Exedra::Test;
use Exedra::Answer;
use Exedra::Crowd;

my $db = database();
my $exedra = start_exedra(db => $db, settings => { processes => 1, 'db.pool' => 1 });
my %key = map { $_ => tenant($db, $_)->{key} } qw(acme bolt);
workspace($exedra, $key{$_}, 'Hall') for keys %key;

# A lock that everything waits for, until all questions have been asked.
my $lock = start_psql("BEGIN; LOCK exedra.chat IN EXCLUSIVE MODE; SELECT 'held';");
sub start_psql {
    my ($sql) = @_;
    open my $psql, '|-', 'psql', '-qAt', '-o', tmp_dir() . '/lock', '-d', $db->conninfo('super') or die;
    syswrite $psql, "$sql\n";
    wait_for(sub { -e tmp_dir() . '/lock' && slurp(tmp_dir() . '/lock') =~ /held/ }, 10, 'the lock');
    return $psql;
}

my $crowd = Exedra::Crowd->new;
my @asked;
for my $n (1 .. 12) {
    push @asked, map { { who => $_, client => $crowd->ask($exedra, 'chat', key => $key{$_}, slug => 'hall', message => "$_ $n") } } keys %key;
    push @asked, { who => 'nobody', client => $crowd->ask($exedra, 'chat', key => "sk-exd-$n", slug => 'hall', message => 'nobody') } if $n == 7;
    push @asked, { who => 'nowhere', client => $crowd->ask($exedra, 'chat', key => $key{acme}, slug => 'attic', message => 'nowhere') } if $n > 9;
}
wait_for(sub { threads($exedra->worker_pids) > @asked }, 10, 'a thread for each');
syswrite $lock, "COMMIT;\n";
close $lock;
$crowd->finish(20);

my %status = (acme => 200, bolt => 200, nobody => 403, nowhere => 400);
is $crowd->answer($_->{client})->{status}, $status{ $_->{who} }, "$_->{who}: $status{ $_->{who} }" for @asked;
is psql($db, q{SELECT string_agg(DISTINCT t.name || ' ' || split_part(c.prompt, ' ', 1) || ' ' || c.state, ', ')
    FROM exedra.chat c JOIN exedra.tenant t ON t.id = c.tenant_id}), 'acme acme done, bolt bolt done', 'every question stands with its tenant';
is psql($db, 'SELECT count(*) FROM exedra.chat'), 24, 'once';
is psql($db, 'SELECT count(*) FROM exedra.open_chat'), 0, 'and is closed';
cmp_ok psql($db, 'SELECT count(DISTINCT xmin::text) FROM exedra.chat'), '<', 24, 'in fewer commits than chats';

done_testing;
