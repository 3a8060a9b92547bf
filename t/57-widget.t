# A chat in a web page, in a browser: what the widget does (ask with a body that is text to the browser, read the events, look back,
# begin anew) works in a page of the list, through nginx under a prefix; a page of another origin comes by nothing.  The widget
# itself is in no registry, so the page here sends what it sends.
use lib 't/lib';
use Exedra::Test;

need(qw(chromium nginx));

my $model = start_model(deltas => ['Whales ', 'are ', 'large.']);
my $db = database();
my $exedra = start_exedra(db => $db, settings => { 'llm.url' => $model->{url}, 'llm.model' => 'm', 'llm.provider' => 'house' });
my $nginx = start_nginx(exedra => $exedra, prefix => '/team');
my $acme = tenant($db, 'acme');
workspace($exedra, $acme->{key}, 'Hall', openAiPrompt => 'Be brief.');
my $session = '6f1c32d3-9f0a-4c7e-8a61-000000000001';
my ($listed, $foreign) = map { page_server() } 1, 2;
my $embed = http($exedra, POST => '/v1/embed/new', key => $acme->{key}, json => { workspace_slug => 'hall', chat_mode => 'chat', allowlist_domains => $listed->{url} =~ s{/v1$}{}r })->{json}{embed};

# The site that the page belongs to: it serves the page and takes down what came of it.
sub page_server {
    return start_model(answer => sub {
        my ($client, $request) = @_;
        my $body = $request->{method} eq 'GET' && $request->{target} =~ m{^/\?} ? page() : '';
        syswrite $client, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
    });
}

sub page {
    return <<"END";
<!DOCTYPE html><title>A page</title><script>
const out = {}, api = new URLSearchParams(location.search).get('api'), session = '$session';
async function attempt(name, what) { try { out[name] = await what() } catch (error) { out[name] = String(error) } }
async function history() { const res = await fetch(api + '/' + session); return res.ok ? (await res.json()).history.map(x => x.content) : res.status }
async function ask() {
	const res = await fetch(api + '/stream-chat', { method: 'POST', headers: { accept: 'text/event-stream' },
		body: JSON.stringify({ message: 'How large?', sessionId: session, username: null, prompt: null, model: null, temperature: null }) });
	return (await res.text()).split('\\n\\n').filter(x => x).map(x => JSON.parse(x.replace(/^data: /, '')));
}
(async () => {
	await attempt('before', history);
	await attempt('asked', ask);
	await attempt('after', history);
	await attempt('reset', async () => (await fetch(api + '/' + session, { method: 'DELETE' })).ok);
	await attempt('gone', history);
	await fetch('/result', { method: 'POST', body: JSON.stringify(out) });
})();
</script>
END
}

# Opens the page and returns what came of it.
sub open_page {
    my ($server) = @_;
    my $dir = tmp_dir() . '/browser' . $server->{pid};
    mkdir $dir;
    my $pid = spawn([program('chromium'), qw(--headless --no-sandbox --disable-gpu --disable-dev-shm-usage --no-first-run --disable-background-networking
            --remote-debugging-port=0), "--user-data-dir=$dir", $server->{url} =~ s{/v1$}{/?api=$nginx->{url}/api/embed/$embed->{uuid}}r], log => "$dir.log", env => { HOME => $dir });
    my $result = eval { wait_for { (grep { $_->{target} eq '/result' } $server->requests)[0] } 60, 'the page' };
    diag $@, slurp("$dir.log") if !$result;
    end_process($pid, signal => 'KILL');
    return $result ? $result->{json} : {};
}

subtest 'a page of the list' => sub {
    my $got = open_page($listed);
    is_deeply $got->{before}, [], 'nothing yet';
    is ref $got->{asked}, 'ARRAY', 'events' or diag explain $got;
    is join('', map { $_->{textResponse} } @{ $got->{asked} }), 'Whales are large.', 'the answer';
    is_deeply [map { $_->{close} ? 1 : 0 } @{ $got->{asked} }], [0, 0, 0, 1], 'its end';
    is_deeply $got->{after}, ['How large?', 'Whales are large.'], 'looking back';
    is $got->{reset}, JSON::PP::true(), 'beginning anew, after the browser has asked whether it may';
    is_deeply $got->{gone}, [], 'nothing is shown any more';
};

subtest 'a page of another origin' => sub {
    my $before = psql($db, 'SELECT count(*) FROM exedra.chat');
    my $got = open_page($foreign);
    like $got->{$_} // 'nothing', qr/^TypeError: Failed to fetch$/, $_ for qw(before asked after reset gone);
    is psql($db, 'SELECT count(*) FROM exedra.chat'), $before, 'and nobody was asked';
};

done_testing;
