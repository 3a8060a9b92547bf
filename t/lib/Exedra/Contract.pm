# SPDX-License-Identifier: ISC
#
# What the tests of the API's contract share: answers made comparable, the shapes of its objects, and a fingerprint of
# all that a database holds.
package Exedra::Contract;
use strict;
use warnings;

use B ();
use Exporter qw(import);
use JSON::PP ();
use Test::More ();
use Exedra::Http qw(http http_stream);
use Exedra::Postgres qw(psql);

our @EXPORT = qw(plain shape_is fingerprint stored chat stream text_of %shape);

# ---- answers made comparable ----

# A body with everything that differs from run to run replaced by its kind: two answers, or an answer and what a test
# expects, can then be compared byte for byte.
sub plain {
    my ($body) = @_;
    $body =~ s/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/<uuid>/g;
    $body =~ s/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/<iso>/g;
    $body =~ s{\d{1,2}/\d{1,2}/\d{4}, \d{1,2}:\d\d:\d\d [AP]M}{<published>}g;
    $body =~ s/"(id|chatId|workspaceId|workspace_id)":\d+/"$1":<id>/g;
    $body =~ s/"sentAt":\d{10}\b/"sentAt":<seconds>/g;
    $body =~ s/"(duration|outputTps|score)":(?:[\d.e+-]+|null)/"$1":<number>/g;
    return $body;
}

# ---- shapes ----

my $published = qr{^\d{1,2}/\d{1,2}/\d{4}, \d{1,2}:\d\d:\d\d [AP]M$};
my %metadata = (
    id => 'uuid', url => 'string', title => 'string', docAuthor => 'string', description => 'string',
    docSource => 'string', chunkSource => 'string', published => $published, wordCount => 'int',
    token_count_estimate => 'int',
);
my %file = (%metadata, name => qr/\.json$/, type => qr/^file$/, cached => 'bool');

# The objects of the contract's section 2, key by key.  A type is int, number, string, bool, null, iso or uuid, with a
# question mark if it may be null as well; a pattern is a string that matches; [x] is an array of x, {...} an object
# with exactly these keys.
our %shape = (
    workspace => {
        id => 'int', name => 'string', slug => 'string', vectorTag => 'null', createdAt => 'iso', openAiTemp => 'number?',
        openAiHistory => 'int', lastUpdatedAt => 'iso', openAiPrompt => 'string?', similarityThreshold => 'number',
        chatProvider => 'string?', chatModel => 'string?', topN => 'int', chatMode => qr/^(?:chat|query|automatic)$/,
        pfpFilename => 'null', agentProvider => 'string?', agentModel => 'string?', queryRefusalResponse => 'string?',
        vectorSearchMode => qr/^(?:default|rerank)$/, router_id => 'int?',
    },
    stored_document => { %metadata, pageContent => 'string', location => qr{^[^/]+/[^/]+\.json$}, isDirectUpload => 'bool' },
    workspace_document => {
        id => 'int', docId => 'uuid', filename => qr/\.json$/, docpath => qr{^[^/]+/[^/]+\.json$}, workspaceId => 'int',
        metadata => 'string', pinned => 'bool', watched => 'bool', createdAt => 'iso', lastUpdatedAt => 'iso',
    },
    metadata => \%metadata,
    file => \%file,
    picker_item => { %file, canWatch => 'bool', pinnedWorkspaces => ['int'], watched => 'bool' },
    source => { %metadata, text => 'string', score => 'number' },
    metrics => {
        prompt_tokens => 'int', completion_tokens => 'int', total_tokens => 'int', duration => 'number',
        outputTps => 'number?', model => 'string', provider => 'string', timestamp => 'iso',
    },
);
$shape{history_user} = {
    role => qr/^user$/, content => 'string', sentAt => 'int', chatId => 'int',
    attachments => [{ name => 'string', mime => 'string', contentString => 'string' }],
};
$shape{history_assistant} = {
    type => qr/^(?:chat|query|automatic)$/, role => qr/^assistant$/, content => 'string', sources => [$shape{source}],
    chatId => 'int', sentAt => 'int', feedbackScore => 'bool?', metrics => $shape{metrics},
};

sub kind {
    my ($value) = @_;
    return 'null' if !defined $value;
    return 'bool' if JSON::PP::is_bool($value);
    return ref $value eq 'HASH' ? 'object' : 'array' if ref $value;
    return 'string' if B::svref_2object(\$value)->FLAGS & B::SVf_POK();
    return $value == int $value ? 'int' : 'number';
}

sub fits_kind {
    my ($value, $type) = @_;
    my $kind = kind($value);
    return 1 if $type =~ s/\?$// && $kind eq 'null';
    return $kind eq 'string' && $value =~ /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/ if $type eq 'iso';
    return $kind eq 'string' && $value =~ /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/ if $type eq 'uuid';
    return $kind eq $type || ($type eq 'number' && $kind eq 'int');
}

# What is wrong with a value, a line each, with the path to it.
sub faults {
    my ($value, $type, $path) = @_;
    if (ref $type eq 'HASH') {
        return "$path is no object but " . kind($value) if ref $value ne 'HASH';
        return ((map { exists $value->{$_} ? faults($value->{$_}, $type->{$_}, "$path.$_") : "$path.$_ is missing" } sort keys %$type),
            (map { exists $type->{$_} ? () : "$path.$_ is too much" } sort keys %$value));
    }
    if (ref $type eq 'ARRAY') {
        return "$path is no array but " . kind($value) if ref $value ne 'ARRAY';
        return map { faults($value->[$_], $type->[0], "$path\[$_]") } 0 .. $#$value;
    }
    my $text = defined $value ? "'$value'" : 'null';
    return ref $type ? (kind($value) eq 'string' && $value =~ $type ? () : "$path is $text, not like $type")
        : fits_kind($value, $type) ? () : "$path is $text (" . kind($value) . "), not $type";
}

# A test: the value has exactly this shape.
sub shape_is {
    my ($value, $type, $name) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return Test::More::is_deeply([faults($value, $type, '')], [], $name);
}

# ---- chats ----

# A question to a workspace, { slug, key } of the caller; returns what http() does.
sub chat {
    my ($server, $key, $slug, $body) = @_;
    return http($server, POST => "/v1/workspace/$slug/chat", key => $key, json => ref $body ? $body : { message => $body });
}

# The same as a stream: { status, headers, whole, events }.
sub stream {
    my ($server, $key, $slug, $body) = @_;
    my $stream = http_stream($server, POST => "/v1/workspace/$slug/stream-chat", key => $key,
        json => ref $body ? $body : { message => $body });
    my @raw = $stream->events;
    return { status => $stream->{status}, headers => $stream->{headers}, whole => $stream->{whole}, raw => \@raw,
        comments => $stream->{comments}, events => [map { $_->{json} } @raw] };
}

# The text of a stream's chunks together.
sub text_of {
    return join '', map { $_->{textResponse} } grep { $_->{type} eq 'textResponseChunk' } @_;
}

# ---- the database ----

# A digest of every row of every table: equal before and after means that nothing was written.
sub fingerprint {
    my ($db) = @_;
    # Words are merged, and a key's last use is noted, when there is time: that is nobody's business.  An export leaves an event.
    return psql($db, q{SELECT format('SELECT %L, count(*), md5(string_agg(x, chr(10) ORDER BY x)) FROM exedra.%I t, LATERAL (SELECT %s::text AS x) y %s',
        relname, relname, CASE relname WHEN 'credential' THEN '(to_jsonb(t) - $$used_at$$)' ELSE 't' END, CASE relname WHEN 'job' THEN 'WHERE kind <> $$merge_words$$' WHEN 'event' THEN 'WHERE action <> $$chat.export$$' END)
        FROM pg_class WHERE relnamespace = 'exedra'::regnamespace AND relkind IN ('r', 'p')
         AND relname NOT IN ('segment', 'segment_part', 'word') ORDER BY relname \gexec});
}

# One column, or several with tabs between, of the newest chat.
sub stored {
    my ($db, $columns) = @_;
    return psql($db, "SELECT $columns FROM exedra.chat ORDER BY id DESC LIMIT 1");
}

1;
