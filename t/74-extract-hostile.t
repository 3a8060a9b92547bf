# Files made to harm whoever reads them: each ends in one clear answer, soon, and nothing of this machine gets into a text.
use lib 't/lib';
use Exedra::Test;
use Exedra::Extract qw(extract refused is_refused);
use Exedra::Hostile qw(asan);
use Exedra::Samples qw(zip_archive zip_bomb docx docx_paragraphs xlsx odf epub pdf pdf_pages png);

my $slack = asan() ? 5 : 1;
my $secret = "canary\n";
my $canary = spew(tmp_dir() . '/secret', $secret);
chmod 0644, $canary;

# What a case may end in, and how soon.
sub ends {
    my ($name, $codes, $bytes, @options) = @_;
    my $got = extract($bytes, @options);
    my $code = $got->{refusal}{code} // 'read';
    like $code, qr/^(?:$codes)$/, $name or diag $got->{refusal}{message};
    cmp_ok $got->{seconds}, '<', 10 * $slack, "$name: soon";
    unlike $got->{text}, qr/canary/, "$name: nothing of ours in it" if $got->{text} =~ /canary/;
    return $got;
}

# A document of Word whose main part is this.
sub word {
    my ($main, @more) = @_;
    return zip_archive(
        '[Content_Types].xml' => '<Types><Override ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>',
        '_rels/.rels' => '<Relationships><Relationship Id="a" Type="x/officeDocument" Target="d.xml"/></Relationships>',
        (ref $main eq 'ARRAY' ? @$main : ('d.xml' => $main)), @more);
}

my $text = '<d><p><t>text</t></p></d>';

subtest 'nothing in it' => sub {
    ends('no bytes', 'file_empty', '');
    ends($_->[0], 'file_no_text', $_->[1]) for ['a byte order mark', "\xEF\xBB\xBF"], ['spaces', " \n\t" x 100], ['a page of nothing', '<!doctype html><p> &nbsp;'],
        ['a document of nothing', docx('')];
};

subtest 'zip archives' => sub {
    my $whole = docx(docx_paragraphs('x' x 3000));
    ends("cut at $_ %", 'file_broken|file_unknown_kind', substr $whole, 0, length($whole) * $_ / 100) for 1, 20, 50, 80, 99;
    ends('a bomb', 'file_too_large', word(zip_bomb(40, '<d><p><t>', '</t></p></d>')));
    ends('a bomb in white space', 'file_too_large', word({ %{ zip_bomb(0, '<d>' . ' ' x (24 << 20), '</d>') } }));
    ends('a bomb beside the text', 'read', word($text, 'media/x.bin' => zip_bomb(40, '', '')));
    ends('a length that is a lie', 'read|file_broken', word({ bytes => $text, size => 1 << 31 }));
    ends('a checksum that is one', 'file_broken', word({ bytes => $text, crc => 1 }));
    ends('a member under lock', 'file_encrypted', word({ bytes => $text, flags => 1 }));
    ends('a name twice', 'file_broken', word(['d.xml' => $text, 'd.xml' => '<d><p><t>other</t></p></d>']));
    ends('100,001 members', 'file_too_large', word($text, map { ("m$_" => { stored => 1 }) } 1 .. 100_001));
    my $outside = sub { zip_archive('[Content_Types].xml' => '<Types><Override ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/></Types>',
        '_rels/.rels' => qq{<Relationships><Relationship Id="a" Type="x/officeDocument" Target="$_[0]"/></Relationships>}, 'd.xml' => $text, '../../d.xml' => $text) };
    ends("a part at $_", 'file_broken', $outside->($_)) for "../../../../../..$canary", $canary, '../../d.xml', '%2e%2e/%2e%2e/d.xml', "file://$canary", '';
    ends('a book that refers outside', 'file_no_text', epub([''], members => { 'META-INF/x' => '' }));
    ends('a document without its part', 'file_broken', word(['other.xml' => $text]));
};

subtest 'XML' => sub {
    my @doctypes = (
        ['an external entity', qq{<!DOCTYPE x [<!ENTITY e SYSTEM "file://$canary">]>}, '&e;'],
        ['an external parameter entity', qq{<!DOCTYPE x [<!ENTITY % e SYSTEM "file://$canary"> %e;]>}, ''],
        ['a billion laughs', '<!DOCTYPE x [<!ENTITY a "lol">' . join('', map { my $p = chr(ord($_) - 1); qq{<!ENTITY $_ "} . "&$p;" x 10 . '">' } 'b' .. 'j') . ']>', '&j;'],
        ['a quadratic blow-up', '<!DOCTYPE x [<!ENTITY a "' . 'x' x 50_000 . '">]>', '&a;' x 10_000],
    );
    for my $case (@doctypes) {
        my ($name, $doctype, $use) = @$case;
        ends("$name, XML", 'file_broken', qq{<?xml version="1.0"?>$doctype<x>text $use</x>});
        ends("$name, docx", 'file_broken', docx("<w:p><w:r><w:t>text $use</w:t></w:r></w:p>", doctype => $doctype));
        ends("$name, odt", 'file_broken', odf('text', "<text:p>text $use</text:p>", doctype => $doctype));
        ends("$name, in a list of parts", 'file_broken', docx(docx_paragraphs('x'), members => { '_rels/.rels' => "$doctype<Relationships>$use</Relationships>" }));
    }
    ends('an external DTD', 'read', qq{<?xml version="1.0"?><!DOCTYPE x SYSTEM "file://$canary"><x>text</x>});
    ends('an inclusion', 'read', qq{<?xml version="1.0"?><x xmlns:xi="http://www.w3.org/2001/XInclude">text<xi:include href="file://$canary" parse="text"/></x>});
    ends('1e6 elements in each other', 'file_broken', '<?xml version="1.0"?>' . '<a>' x 1_000_000);
    ends('the same in a document', 'file_broken', docx('<w:p>' . '<w:r>' x 1_000_000 . '</w:r>' x 1_000_000 . '</w:p>'));
    ends('an attribute of 20 MB', 'file_broken|file_too_hungry', '<?xml version="1.0"?><a b="' . 'x' x 20_000_000 . '">x</a>');
    my @attributes = map { "a$_=''" } 1 .. 300_000;
    is_refused(extract("<?xml version='1.0'?><a @attributes>x</a>", qw(--max-seconds 1)), 'file_broken', '300,000 attributes');
    ends('10,000 attributes', 'read', "<?xml version='1.0'?><a @attributes[0 .. 9_999]>x</a>");
    my $words = join ' ', map { "b$_=x" } 1 .. 20_000;
    ends('what only looks like attributes', 'read', "<?xml version='1.0'?><!-- <a $words --><a><![CDATA[ x <a $words ]]><b c='$words'/></a>");
    ends('a tag that is not closed', 'file_broken', '<?xml version="1.0"?><a><b>x</a>');
};

subtest 'HTML' => sub {
    ends('1e6 elements in each other', 'file_broken', '<!doctype html>' . '<div>' x 1_000_000 . 'x');
    ends('1e5 formats that are never closed', 'file_broken', '<!doctype html>' . '<p><font>x' x 100_000);
    ends('9,000 in each other', 'read', '<!doctype html>' . '<div>' x 9000 . 'x' . '</div>' x 9000);
    ends('a comment without end', 'read', '<!doctype html><p>x<!--' . 'x' x 5_000_000);
    ends('an attribute of 5 MB', 'read', '<!doctype html><p a="' . 'x' x 5_000_000 . '">x');
    my @attributes = map { "a$_=x" } 1 .. 100_000;
    for my $tag ("<p @attributes>", "<p\n" . join("\n", map { "a$_ = 'x > y'" } 1 .. 100_000) . '>', '<p ' . join('', map { "a$_=\"x\"" } 1 .. 100_000) . '>',
        "<script>var x = 1 < 2;</script><p @attributes") {
        is_refused(extract("<!doctype html>${tag}x", qw(--max-seconds 5)), 'file_broken', '100,000 attributes: ' . substr $tag, 0, 30);
    }
    ends('10,000 attributes', 'read', "<!doctype html><p @attributes[0 .. 9_999]>x");
    ends('what only looks like attributes', 'read', "<!doctype html><!-- <p @attributes --><script>if (a<b @attributes) {}</script><style>a<b @attributes</style><p title='@attributes'>x < @attributes</p @attributes>");
    ends('references to no character', 'read', '<!doctype html><p>x&#0;&#55357;&#xFFFFFFFF;&nonsense;&#x' . '9' x 100_000 . ';');
    my $got = ends('references to files', 'read', qq{<!doctype html><base href="file:///"><link rel=import href="$canary"><iframe src="$canary"></iframe>}
        . qq{<object data="$canary"></object><meta http-equiv=refresh content="0;url=file://$canary"><p>text});
    is $got->{text}, "text\n", 'are not followed';
};

subtest 'sheets' => sub {
    ends('one cell in the last corner', 'read', xlsx([S => '<row r="1048576"><c r="XFD1048576"><v>1</v></c></row>']));
    ends("a cell at $_", 'file_broken', xlsx([S => qq{<row r="1"><c r="$_"><v>1</v></c></row>}])) for 'XFE1', 'ZZZZZZZZZZZZZ1';
    ends("row $_", 'file_broken', xlsx([S => qq{<row r="$_"><c><v>1</v></c></row>}])) for -1, 0, '99999999999999999999';
    ends('odd numbers', 'read', xlsx([S => '<row>' . join('', map { "<c s='$_->[0]' t='$_->[1]'><v>$_->[2]</v></c>" } [0, n => '1e999'], [-1, n => 'nan'], [1 << 40, n => '-1e-400'],
        [0, s => '18446744073709551615'], [0, s => -1], [0, n => 'x' x 100_000]) . '</row>'], formats => ['yyyy']));
    ends('50,000 rows with their only cell at the end', 'file_too_large', xlsx([S => join '', map { "<row><c r='XFD$_'><v>1</v></c></row>" } 1 .. 50_000]), qw(--max-bytes 10000000));
    my $sheet = sub { odf('spreadsheet', "<table:table table:name='T'><table:table-row table:number-rows-repeated='$_[0]'><table:table-cell "
        . "table:number-columns-repeated='$_[1]'><text:p>$_[2]</text:p></table:table-cell></table:table-row></table:table>") };
    ends('a cell that stands 1e16 times', 'file_too_large', $sheet->(99999999, 99999999, 'boom'), qw(--max-bytes 10000000));
    ends('-1 times', 'read', $sheet->(-1, -1, 'x'));
    ends('an empty one, 2^63 times', 'file_no_text', $sheet->('9223372036854775807', '99999999999999999999', ''));
};

subtest 'pdf' => sub {
    my $whole = pdf_pages([map { [[60, 700, "page $_"]] } 1 .. 20]);
    ends("cut at $_ %", 'file_broken', substr $whole, 0, length($whole) * $_ / 100) for 5, 30, 60, 95;
    my $catalog = '<</Type/Catalog/Pages 2 0 R>>';
    ends('pages that are their own parents', 'file_broken', pdf([$catalog, '<</Type/Pages/Count 3/Kids[2 0 R 2 0 R 2 0 R]>>']));
    ends('1e9 pages in a circle', 'file_broken', pdf([$catalog, '<</Type/Pages/Count 1000000000/Kids[3 0 R]>>', '<</Type/Pages/Count 1000000000/Kids[2 0 R]>>']));
    ends('no pages', 'file_broken', pdf([$catalog, '<</Type/Pages/Count 0/Kids[]>>']));
    ends('200,000 arrays in each other', 'file_broken', pdf(['<</Type/Catalog/Pages 2 0 R/X ' . '[' x 200_000 . ']' x 200_000 . '>>', '<</Type/Pages/Count 0/Kids[]>>']));
    ends('a drawing that draws itself', 'file_no_text', pdf([$catalog, '<</Type/Pages/Count 1/Kids[3 0 R]>>',
        '<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R/Resources<</XObject<</A 4 0 R>>>>>>',
        "<</Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</A 4 0 R>>>>/Length 11>>stream\n/A Do /A Do\nendstream"]));
    my ($table) = $whole =~ /startxref\n(\d+)/;
    my $previous = $whole =~ s{/Info}{/Prev $table/Info}r;
    ends('a table of objects that continues in itself', 'read|file_broken', $previous);
    my $many = pdf_pages([[map { [60, 700, 'x'] } 1 .. 50_000]]);
    ends('50,000 words in one place', 'read', $many);
};

subtest 'mail' => sub {
    my $head = "From: a\@b.c\nSubject: s\nMIME-Version: 1.0\n";
    ends('10,000 multiparts in each other', 'file_broken', $head . join('', map { "Content-Type: multipart/mixed; boundary=b$_\n\n--b$_\n" } 1 .. 10_000) . "\nx\n");
    ends('10,000 mails in each other', 'file_broken', $head . "Content-Type: message/rfc822\n\n" x 10_000 . "Subject: x\n\nx\n");
    ends('a subject of 1 MB', 'read', "From: a\@b.c\nSubject: " . 'x' x 1_000_000 . "\n\nx\n");
    ends('10,000 attachments', 'read', "${head}Content-Type: multipart/mixed; boundary=q\n\n" . join('', map {
        "--q\nContent-Type: application/x\nContent-Disposition: attachment; filename=\"../../f$_\"\n\nx\n" } 1 .. 10_000) . "--q--\n");
    ends('a boundary that never ends', 'read|file_no_text', "${head}Content-Type: multipart/mixed; boundary=q\n\n--q\nContent-Type: text/plain\n\nx");
    ends('no charset of this world', 'read', "${head}Content-Type: text/plain; charset=\"../../x\"\n\nx\xE4\n");
};

subtest 'RTF' => sub {
    plan skip_all => 'unrtf is missing' if !program('unrtf');
    ends('1e6 groups in each other', 'file_broken|file_too_hungry', '{\rtf1 ' . '{' x 1_000_000 . 'x' . '}' x 1_000_000 . '}');
    ends('cut short', 'read|file_broken', '{\rtf1\ansi hello \par wor');
    ends('a picture of 1e11 bytes', 'file_no_text|file_broken', '{\rtf1\bin99999999999 x}');
};

subtest 'images' => sub {
    plan skip_all => 'tesseract is missing' if !program('tesseract');
    ends('3,600 megapixels', 'file_too_large', png(60_000, 60_000, rows => 1));
    ends('36 megapixels, of which one row is there', 'file_broken|file_too_hungry', png(60_000, 600, rows => 1));
    ends('cut short', 'file_broken', substr png(500, 500), 0, 60);
};

subtest 'plain text' => sub {
    ends('a line of 20 MB', 'read', 'x' x 20_000_000);
    ends('10 MB of line ends', 'file_no_text', "\n" x 10_000_000);
    ends('a quote without end', 'read', '"' . 'a,b' x 1_000_000, qw(--name a.csv));
    ends('a type of 10,000 characters', 'read', 'text', '--type', 'text/plain; charset=' . 'x' x 10_000);
};

# A file with a few wrong bytes, again and again: seeded, so that what fails once fails again.
subtest 'small changes' => sub {
    srand 74;
    my %whole = (
        html => '<html lang=de><title>T</title><meta charset=utf-8><h1>K</h1><ul><li>a<li><p>b</ul><table><tr><td>1<td>2</table><pre>x</pre>',
        xml => '<?xml version="1.0" encoding="ISO-8859-1"?><r><a b="c">1</a><p>mixed <i>content</i></p></r>',
        pdf => pdf_pages([[[60, 700, 'Hello']]], info => '/Title(x)'),
        eml => "From: =?iso-8859-1?Q?J=FC?= <j\@example.org>\nSubject: =?utf-8?B?R3LDvMOfZQ==?=\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n"
            . "--x\nContent-Type: text/plain; charset=koi8-r\nContent-Transfer-Encoding: quoted-printable\n\n=F0=D2\n--x--\n",
        docx => docx(docx_paragraphs('a')),
        txt => "\xFF\xFE" . join '', map { "$_\0" } split //, 'hello world ' x 9,
    );
    my %ended;
    for my $round (1 .. (asan() ? 5 : 15)) {
        for my $name (sort keys %whole) {
            my $bytes = $whole{$name};
            for (0 .. int rand 5) {
                my $at = int rand length $bytes;
                if (rand() < 0.5) { substr($bytes, $at, 1) = chr int rand 256 }
                elsif (rand() < 0.5) { substr($bytes, $at, int rand 8) = '' }
                else { substr($bytes, $at, 0) = substr $bytes, int rand length $bytes, int rand 60 }
            }
            $ended{extract($bytes, '--name', "a.$name")->{refusal}{code} // 'read'}++;
        }
    }
    is_deeply [grep { !/^(?:read|file_(?:broken|encrypted|no_text|unknown_kind))$/ } sort keys %ended], [], 'end as they may';
};

done_testing;
