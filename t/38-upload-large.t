# A text of 100 MB goes in and comes back, and the process never takes 100 MB: neither when it is read, nor when it is known already.
use lib 't/lib';
use Exedra::Test;
use Exedra::Form;
use Exedra::Hostile ();

plan skip_all => 'under a sanitizer' if Exedra::Hostile::asan();

my $MB = 1_000_000;
my $db = database();
my $exedra = start_exedra(db => $db, settings => { processes => 1 });
my $key = tenant($db, 'acme')->{key};

# Mostly blank: the words of a text take PostgreSQL's time, not our memory.
my $text = join '', map { sprintf "%-100000s\n", "Passage $_ of the river." } 1 .. 1000;
my $form = form(part(file => $text, filename => 'large.txt'));
cmp_ok length $text, '>', 100 * $MB, 'a text of more than 100 MB';

my ($worker) = $exedra->worker_pids;
Exedra::Hostile::peak_kb($worker);
for my $time ('read', 'known already') {
    my $got = upload_form($exedra, $form, key => $key, timeout => 120);
    is $got->{status}, 200, $time or diag substr $got->{body}, 0, 300;
    my ($content) = $got->{body} =~ /"pageContent":"(.*)","token_count_estimate"/s;
    ok $content =~ s/\\n/\n/gr eq $text, 'it comes back whole';
    my $kb = Exedra::Hostile::peak_kb($worker);
    diag sprintf '%.1f s, at most %.0f MB', $got->{seconds}, $kb / 1000 if $ENV{EXEDRA_VERBOSE};
    cmp_ok $kb, '<', 50_000, 'in little memory';
}
is psql($db, 'SELECT count(*) FROM exedra.document_version'), 1, 'one text';
is psql($db, 'SELECT sum(length(text)) FROM exedra.document_text'), length $text, 'is kept whole';
is psql($db, 'SELECT count(*) FROM exedra.chunk'), 1000, 'in its passages';
ok $exedra->stop, 'exedra ends well';
done_testing;
