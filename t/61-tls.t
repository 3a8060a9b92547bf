# Providers behind TLS: believed where somebody vouches for them whom the operator trusts, and then cheap.  libcurl by itself would
# read the list of these for every connection, and hold it as long.
use lib 't/lib';
use Exedra::Test;
use Exedra::Hostile qw(asan);
use Exedra::Provider;

need('nginx');
my $openssl = program('openssl') // plan skip_all => 'openssl is missing';

my $provider = start_provider();
my ($port) = free_port();
my $dir = tmp_dir();
my @certificate = (-keyout => "$dir/tls.key", -out => "$dir/tls.crt", -addext => 'subjectAltName=IP:127.0.0.1');
is run([$openssl, qw(req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=provider), @certificate])->{status}, 0, 'a certificate';
# As many as Debian's own list has, and ours behind them.
spew("$dir/all.pem", join '', map({ slurp($_) } grep { -e } '/etc/ssl/certs/ca-certificates.crt'), slurp("$dir/tls.crt"));

my $db = database();
my %settings = ('llm.url' => "https://127.0.0.1:$port/tls/v1", 'llm.model' => 'good', 'log.level' => 'error', processes => 1);
my $trusting = start_exedra(db => $db, settings => { %settings, 'outbound.ca' => "$dir/all.pem" });
my $doubting = start_exedra(db => $db, settings => { %settings, 'log.level' => 'warning' });
my $misled = start_exedra(db => $db, settings => { %settings, 'outbound.ca' => "$dir/all.pem", 'llm.url' => "https://localhost:$port/tls/v1", 'log.level' => 'warning' });
my $front = start_nginx(exedra => $trusting, server => "listen 127.0.0.1:$port ssl; ssl_certificate $dir/tls.crt; ssl_certificate_key $dir/tls.key;
    location ^~ /tls/ { proxy_pass $provider->{url}/../; proxy_buffering off; proxy_read_timeout 60s; }" =~ s{/v1/\.\./}{/}r);
my $key = tenant($db, 'acme')->{key};
workspace($trusting, $key, 'Hall', chatMode => 'chat');

subtest 'whom to believe' => sub {
    my $got = http($trusting, POST => '/v1/workspace/hall/chat', key => $key, json => { message => 'Hello?' });
    is $got->{status}, 200, 'one on the list' or diag $got->{body}, $front->log_text;
    is $got->{json}{error}, undef, 'answers';
    $got = http($doubting, POST => '/v1/workspace/hall/chat', key => $key, json => { message => 'Hello?' });
    is $got->{status}, 500, 'one that is not on the system\'s list';
    like $got->{json}{error}, qr/cannot be reached/, 'is not asked';
    like $doubting->log_text, qr/event=provider_unreachable .*cause="self-signed certificate"/, 'and the log says what is wrong with it';
    http($misled, POST => '/v1/workspace/hall/chat', key => $key, json => { message => 'Hello?' });
    like $misled->log_text, qr/event=provider_unreachable .*cause="certificate is for another name"/, 'and of one that is another\'s';
};

subtest 'a list that is none' => sub {
    spew("$dir/bad.pem", "no certificate\n");
    for my $file ("$dir/bad.pem", "$dir/none.pem", $dir) {
        spew("$dir/exedra.conf", "db.url = dbname=none\noutbound.ca = $file\n");
        my $ran = run([program('exedra'), '-c', "$dir/exedra.conf"]);
        isnt $ran->{status}, 0, 'does not start';
        like $ran->{err}, qr/outbound\.ca: \Q$file\E cannot be read as certificates/, 'and says why';
    }
};

subtest 'many at once' => sub {
    plan skip_all => 'a sanitizer has memory of its own' if asan();
    workspace($trusting, $key, 'Silent', chatMode => 'chat', chatModel => 'silent-mid');
    my $n = 40;
    my $before = $trusting->pss_total_kb;
    my @streams = map { http_stream($trusting, POST => '/v1/workspace/silent/stream-chat', key => $key, json => { message => "Wait $_", sessionId => "s$_" }) } 1 .. $n;
    ok $_->next(30), 'begins' for @streams;
    my $each = ($trusting->pss_total_kb - $before) / $n;
    cmp_ok $each, '<', 350, 'a stream with TLS takes little memory';
    diag sprintf '%.0f kB', $each if $ENV{EXEDRA_VERBOSE};
    $_->close for @streams;
    wait_for { psql($db, "SELECT count(*) FROM exedra.open_chat") == 0 } 20, 'their ends';
};

ok $_->stop, "$_->{name} ends well" for $front, $trusting, $doubting, $misled;
done_testing;
