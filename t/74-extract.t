# Documents of every kind become text: what it is, what is left out, what is known of the document, whatever its name.
use lib 't/lib';
use Exedra::Test;
use Exedra::Extract qw(extract refused is_text is_refused);
use Exedra::Samples qw(zip_archive docx docx_paragraphs pptx xlsx odf epub pdf pdf_pages pdf_locked png wav);

subtest 'plain text' => sub {
    is_text(extract("one\r\ntwo\rthree\n"), "one\ntwo\nthree\n", { kind => 'text/plain', title => undef }, 'ends of lines');
    is_text(extract("# First\n\ntext\n", qw(--name a.MD)), "# First\n\ntext\n", { kind => 'text/markdown', title => 'First' }, 'Markdown');
    is_text(extract("#+TITLE: Org\n* One\n", qw(--name a.org)), "#+TITLE: Org\n* One\n", { kind => 'text/plain', title => 'Org' }, 'Org');
    is_text(extract("Title\n=====\n\nx\n", qw(--name a.rst)), "Title\n=====\n\nx\n", { title => 'Title' }, 'reStructuredText');
    is_text(extract("= Doc\n\nx\n", qw(--name a.adoc)), "= Doc\n\nx\n", { title => 'Doc' }, 'AsciiDoc');
    is_text(extract("a;b\n1;2\n", qw(--name a.csv)), "a;b\n1;2\n", { kind => 'text/csv' }, 'CSV');
    is_text(extract('{"a": 1}', qw(--name a.json)), "{\"a\": 1}", { kind => 'application/json' }, 'JSON, whose last line has no end');
    is_text(extract("int main(void)\n{\n\treturn 0;\n}\n" x 3, qw(--name a.c)), "int main(void)\n{\n\treturn 0;\n}\n" x 3, {}, 'source code');
    is_text(extract("a\fb\x0Bc\x01d\x{FEFF}\0e\x7Ff " . 'text ' x 20), "a\n\nb\ncd\x{FEFF}ef " . 'text ' x 20, {}, 'control characters');
};

subtest 'charsets' => sub {
    my %text = (
        'UTF-8 with a mark'    => "\xEF\xBB\xBFGr\xC3\xBC\xC3\x9Fe",
        'windows-1252'         => "Gr\xFC\xDFe",
        'UTF-16LE with a mark' => "\xFF\xFEG\0r\0\xFC\0\xDF\0e\0",
        'UTF-16BE with a mark' => "\xFE\xFF\0G\0r\0\xFC\0\xDF\0e",
        'UTF-16LE without'     => "G\0r\0\xFC\0\xDF\0e\0",
        'UTF-16BE without'     => "\0G\0r\0\xFC\0\xDF\0e",
        'UTF-32LE with a mark' => "\xFF\xFE\0\0" . join('', map { "$_\0\0\0" } 'G', 'r', "\xFC", "\xDF", 'e'),
    );
    is extract($text{$_})->{text}, 'Grüße', $_ for sort keys %text;
    is extract("\xCF\xD2\xC9\xD7\xC5\xD4", '--type', 'text/plain; charset=koi8-r')->{text}, 'оривет', 'as the sender says';
    is extract("\x83\x65\x83\x58\x83\x67", '--type', 'text/plain; charset="Shift_JIS"')->{text}, 'テスト', 'in two bytes each';
    is extract("ä" x 100 . "x", '--type', 'text/plain; charset=iso-8859-1; x')->{text}, 'Ã¤' x 100 . 'x', 'even when it is wrong';
    is extract("\xE4", '--type', 'text/plain; charset=no-such')->{text}, 'ä', 'an unknown one is windows-1252';
    my $spoilt = "\xC3\xA4" x 50 . "\xFF\xED\xA0\x80 \xC0\x80\xF5.";
    is extract($spoilt)->{text}, 'ä' x 50 . "\x{FFFD}" x 4 . ' ' . "\x{FFFD}" x 3 . '.', 'a few bad bytes in UTF-8 are replaced';
    is extract("\xFF\xFEa\0\x00\xD8b\0\x00\xDCc\0")->{text}, "a\x{FFFD}b\x{FFFD}c", 'lone surrogates';
    my $meta = "<html><meta http-equiv=Content-Type content='text/html; charset=iso-8859-15'><p>\xA4 5";
    is extract($meta)->{text}, "€ 5\n", 'as the page says';
    is extract("<html><head><script>" . 'x = 1; ' x 2000 . "</script><meta charset=koi8-r><title>t</title></head><body>\xF0\xD2\xC9<meta charset=utf-7></body>")->{text},
        "При\n", 'behind a script';
    is extract(qq{<?xml version="1.0" encoding="windows-1251"?><a>\xCF\xF0\xE8}. '</a>')->{text}, "При\n", 'as the XML says';
    is extract(qq{<?xml version="1.0"?><a>\xC3\xA4<b encoding="windows-1251"/></a>}, qw(--name a.xsl))->{text}, "ä\n", 'but not where it speaks of another file';
};

subtest 'HTML and XML' => sub {
    my $page = <<'HTML';
<!doctype html><html lang="de"><head><title>Die &amp; Seite</title><meta name="author" content="A. B."><style>p { color: red }</style>
<meta property="article:published_time" content="2026-01-02"><base href="file:///"></head><body onload="evil()"><h1>Kopf</h1>
<p>Ein <b>Ab</b>satz &copy; mit   Um&shy;bruch<br>hier.<script>alert(1)</script><noscript>nein</noscript>
<ul><li>eins<li><p>zwei</p></ul><table><tr><th>A<th>B</tr><tr><td><p>1</p></td><td><div>2</div></td></tr></table><pre>
  x = 1
  y</pre><iframe src="file:///etc/passwd">nein</iframe><svg><text>nein</text></svg>Ende</body></html>
HTML
    is_text(extract($page), "Kopf\n\nEin Absatz © mit Umbruch\nhier.\n\n- eins\n- zwei\n\nA\tB\n1\t2\n\n  x = 1\n  y\n\nEnde\n",
        { kind => 'text/html', title => 'Die & Seite', author => 'A. B.', language => 'de', published => '2026-01-02' }, 'a page');
    is_text(extract('<p>no title', qw(--name a.html)), "no title\n", { kind => 'text/html' }, 'a piece, by its name');
    is_text(extract('<p>no title', qw(--name index --type text/html)), "no title\n", { kind => 'text/html' }, 'or by its type');
    is_text(extract("# A\n\n<b>x</b>\n", qw(--name a.md)), "# A\n\n<b>x</b>\n", { kind => 'text/markdown' }, 'Markdown with tags is Markdown');
    my $xhtml = '<?xml version="1.0"?><!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "x.dtd"><html xmlns="http://www.w3.org/1999/xhtml">'
        . '<head><title>T</title><script/></head><body><p>a&nbsp;b</p></body></html>';
    is_text(extract($xhtml), "a b\n", { kind => 'text/html', title => 'T' }, 'XHTML');
    is_text(extract("<?xml version='1.0'?><r><a>1</a><b>2 &lt; 3</b>\n<p>mixed <i>con</i>tent</p>\n<![CDATA[<raw>]]></r>"),
        "1\n2 < 3\nmixed content\n<raw>\n", { kind => 'text/xml' }, 'XML');
};

subtest 'docx' => sub {
    my $heading = '<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>The he</w:t></w:r><w:r><w:t>ading</w:t></w:r></w:p>';
    my $item = sub { "<w:p><w:pPr><w:numPr/></w:pPr><w:r><w:t>$_[0]</w:t></w:r></w:p>" };
    my $cell = sub { '<w:tc>' . docx_paragraphs(@_) . '</w:tc>' };
    my $body = $heading . docx_paragraphs('Täxt & more') . $item->('one') . $item->('two')
        . '<w:tbl><w:tr>' . $cell->('A1') . $cell->('B1', 'b1') . '</w:tr><w:tr><w:tc><w:p/></w:tc>' . $cell->('B2') . '</w:tr></w:tbl>'
        . '<w:p><w:del><w:r><w:delText>gone</w:delText></w:r></w:del><w:ins><w:r><w:t>new</w:t><w:tab/><w:t>tab</w:t><w:br/><w:t>line</w:t></w:r></w:ins>'
        . '<w:r><w:instrText>PAGE</w:instrText></w:r><mc:AlternateContent><mc:Choice><w:r><w:t>!</w:t></w:r></mc:Choice><mc:Fallback><w:r>'
        . '<w:t>twice</w:t></w:r></mc:Fallback></mc:AlternateContent></w:p>';
    my $notes = '<w:footnotes xmlns:w="w"><w:footnote>' . docx_paragraphs('A footnote.') . '</w:footnote></w:footnotes>';
    my $file = docx($body, 'dc:creator' => 'Jürgen', 'dcterms:created' => '2026-01-02T03:04:05Z', members => { 'word/footnotes.xml' => $notes });
    is_text(extract($file), "The heading\n\nTäxt & more\n\n- one\n- two\n\nA1\tB1\nb1\n\tB2\n\nnew tab\nline!\n\nA footnote.\n",
        { kind => 'application/vnd.openxmlformats-officedocument.wordprocessingml.document', title => 'The heading', author => 'Jürgen',
            published => '2026-01-02T03:04:05Z' }, 'a document');
    my $ruby = '<w:p><w:pPr><w:pStyle w:val="Heading1"/><w:pPrChange><w:pPr><w:pStyle w:val="Normal"/><w:numPr/></w:pPr></w:pPrChange></w:pPr>'
        . '<w:r><w:ruby><w:rubyPr/><w:rt><w:r><w:t>とうきょう</w:t></w:r></w:rt><w:rubyBase><w:r><w:t>東京</w:t></w:r></w:rubyBase></w:ruby></w:r></w:p>';
    is_text(extract(docx($ruby)), "東京\n", { title => '東京' }, 'a word without its reading, and a heading that was none');
    my $odd = $file =~ s{word/document\.xml}{word\\Document.XML}gr =~ s{_rels/}{_RELS\\}gr;
    is extract($odd)->{text}, extract($file)->{text}, 'members with names in capitals, parted as Windows does it';
    is extract(docx(docx_paragraphs('x'), 'dc:title' => 'Named', 'dc:description' => "of\ntwo lines"))->{head}{title}, 'Named', 'its title';
};

subtest 'pptx' => sub {
    my $file = pptx([{ title => 'First & only', text => ['one', 'two'], notes => 'Smile.' }, { title => 'Second', text => ['three'] }]);
    is_text(extract($file), "First & only\none\ntwo\n\nSmile.\n\nSecond\nthree\n", { title => 'First & only', pages => 2 },
        'slides in the order they are shown, without their numbers');
};

subtest 'xlsx' => sub {
    my @sheets = ('Über' => '<row r="1"><c r="A1" t="s"><v>0</v></c><c r="C1"><v>0.30000000000000004</v></c><c r="D1" s="1"><v>45000.5</v></c>'
            . '<c r="E1" s="2"><v>45000</v></c><c r="F1" t="b"><v>1</v></c></row><row r="5"><c t="inlineStr"><is><t>say "hi", you</t></is></c>'
            . '<c t="str"><f>A1</f><v>res</v></c><c t="e"><v>#N/A</v></c></row>',
        Empty => '', Last => '<row><c><v>1E3</v></c></row>');
    my @with = (strings => ['Größe'], formats => ['General', 'dd/mm/yyyy hh:mm', '0.00 "days"']);
    my $first = qq{Größe,,0.3,2023-03-15 12:00:00,45000,TRUE\n\n"say ""hi"", you",res,#N/A\n};
    is_text(extract(xlsx([@sheets], @with)), "Sheet: Über\n${first}\nSheet: Last\n1000\n", { pages => 3 }, 'a workbook');
    is_deeply extract(xlsx([@sheets], @with), '--parts')->{parts},
        [{ part => 1, title => 'Über', text => $first }, { part => 2, title => 'Last', text => "1000\n" }], 'its sheets';
    my $escaped = '<row><c t="s"><v>0</v></c><c t="str"><v>one_x000D_&#10;two_x0007_</v></c><c t="inlineStr"><is><t>_x005F_x000D_ _xZZZZ_ a_x00e4__xD83D__x0000_</t></is></c></row>';
    is extract(xlsx(['S' => $escaped], strings => ['a_x000D__x000D_b'], formats => ['General']))->{text},
        qq{Sheet: S\n"a\n\nb","one\ntwo",_x000D_ _xZZZZ_ aä\x{FFFD}\x{FFFD}\n}, 'characters that XML cannot hold';
};

subtest 'OpenDocument' => sub {
    my $note = '<text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>a foot</text:p><text:p>note</text:p></text:note-body></text:note>';
    my $text = "<text:tracked-changes><text:p>gone</text:p></text:tracked-changes><text:h>Head</text:h><text:p>A<text:s text:c='2147483647'/>B$note.</text:p>"
        . '<text:list><text:list-item><text:p>i</text:p></text:list-item><text:list-item><text:p>j</text:p></text:list-item></text:list>'
        . '<table:table><table:table-row><table:table-cell><text:p>a</text:p></table:table-cell><table:table-cell><text:p>b</text:p></table:table-cell>'
        . '</table:table-row></table:table><text:p>end</text:p>';
    is_text(extract(odf('text', $text, 'meta:initial-creator' => 'Ann', 'dc:language' => 'en')),
        "Head\n\nA B (a foot note).\n\n- i\n- j\n\na\tb\n\nend\n", { title => 'Head', author => 'Ann', language => 'en' }, 'a text');
    is extract(odf('text', '<text:p>The <text:title>Named</text:title> text</text:p><text:p><draw:frame xmlns:svg="s"><svg:title>no</svg:title></draw:frame>x</text:p>'))->{text},
        "The Named text\n\nx\n", 'a field has text, a picture a remark';
    is_text(extract(odf('presentation', '<draw:page><text:p>S1</text:p></draw:page><draw:page><text:p>S2</text:p></draw:page>', 'dc:title' => 'T')),
        "S1\n\nS2\n", { title => 'T', pages => 2 }, 'a presentation');
    my $sheet = '<table:table table:name="Tab"><table:table-row><table:table-cell office:value-type="float" office:value="1.5"><text:p>1,50</text:p>'
        . '</table:table-cell><table:table-cell table:number-columns-repeated="2"><text:p>x</text:p></table:table-cell><table:table-cell '
        . 'office:value-type="date" office:date-value="2026-01-02"><text:p>2.1.26</text:p></table:table-cell><table:table-cell '
        . 'table:number-columns-repeated="16000"/></table:table-row><table:table-row table:number-rows-repeated="1048570"><table:table-cell '
        . 'table:number-columns-repeated="16384"/></table:table-row><table:table-row table:number-rows-repeated="2"><table:table-cell/>'
        . '<table:table-cell office:value-type="percentage" office:value="0.5"><text:p>50 %</text:p></table:table-cell></table:table-row></table:table>';
    is_text(extract(odf('spreadsheet', $sheet)), "Sheet: Tab\n1.5,x,x,2026-01-02\n\n,50 %\n,50 %\n", { pages => 1 }, 'sheets');
};

subtest 'epub' => sub {
    my @chapters = map { qq{<?xml version="1.0"?><html xmlns="http://www.w3.org/1999/xhtml"><head><title/></head><body><h1>$_</h1><p>It was&nbsp;é.</p></body></html>} }
        'One', 'Two';
    my $fonts = '<encryption xmlns:enc="e"><enc:CipherReference URI="OEBPS/font.otf"/></encryption>';
    is_text(extract(epub(\@chapters, 'dc:title' => 'The Book', 'dc:creator' => 'A. Author', 'dc:language' => 'en', members => { 'META-INF/encryption.xml' => $fonts })),
        "One\n\nIt was é.\n\nTwo\n\nIt was é.\n", { kind => 'application/epub+zip', title => 'The Book', author => 'A. Author', language => 'en' },
        'chapters in the order of the book');
    is_refused(extract(epub(\@chapters, members => { 'META-INF/encryption.xml' => $fonts =~ s{font.otf}{text/chapter%201.xhtml}r })), 'file_encrypted',
        'chapters under lock');
};

subtest 'pdf' => sub {
    my @columns = map { my $y = 700 - 12 * $_; ([60, $y, "left line $_ of some length"], [320, $y, "right line $_ of some length"]) } 0 .. 9;
    my $got = extract(pdf_pages([\@columns, [[60, 700, 'Page two.']]], info => '/Title(My PDF)/Author(Me)/CreationDate(D:20260102030405Z)'));
    is $got->{text}, join("\n", map { "left line $_ of some length" } 0 .. 9) . "\n\n" . join("\n", map { "right line $_ of some length" } 0 .. 9)
        . "\n\nPage two.\n", 'one column after the other, one page after the other';
    is_deeply $got->{head}, { kind => 'application/pdf', title => 'My PDF', author => 'Me', published => '2026-01-02T03:04:05Z', pages => 2 }, 'what is known of it';
    is extract("\xFF\1\2" x 300 . pdf_pages([[[60, 700, 'x']]]))->{text}, "x\n", 'junk before it';
    is extract(pdf_locked([[[60, 700, 'open']]], ''))->{text}, "open\n", 'an owner has a password, a reader needs none';
    is_refused(extract(pdf_locked([[[60, 700, 'secret']]], 'pw')), 'file_encrypted', 'a reader needs one');
    is_refused(extract(pdf_pages([[]])), 'file_no_text', 'nothing on it');

    # Characters that a font has, of which nobody asks for one.
    my $drawn = 'BT /F1 12 Tf 50 700 Td (0rst o1ce, W24.) Tj 0 -14 Td (The addi2) Tj 0 -14 Td (tional line.) Tj ET';
    my $ligatures = pdf(['<</Type/Catalog/Pages 2 0 R>>', '<</Type/Pages/Count 1/Kids[3 0 R]>>',
        '<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>',
        '<</Length ' . length($drawn) . ">>stream\n$drawn\nendstream",
        '<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding<</Type/Encoding/Differences[48/fi/uniFB03/softhyphen]>>>>']);
    is extract($ligatures)->{text}, "first office, W-4.\nThe additional line.\n", 'ligatures and soft hyphens';

    # A font that says nothing of Unicode: poppler's tables do, if they are there and the kernel can open them and nothing else.
    my $shown = 'BT /F1 12 Tf 50 700 Td <836583588367> Tj ET';
    my $japanese = pdf(['<</Type/Catalog/Pages 2 0 R>>', '<</Type/Pages/Count 1/Kids[3 0 R]>>',
        '<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>',
        '<</Length ' . length($shown) . ">>stream\n$shown\nendstream",
        '<</Type/Font/Subtype/Type0/BaseFont/Ryumin-Light/Encoding/90ms-RKSJ-H/DescendantFonts[6 0 R]>>',
        '<</Type/Font/Subtype/CIDFontType0/BaseFont/Ryumin-Light/CIDSystemInfo<</Registry(Adobe)/Ordering(Japan1)/Supplement 2>>/FontDescriptor 7 0 R>>',
        '<</Type/FontDescriptor/FontName/Ryumin-Light/Flags 4/FontBBox[0 0 1000 1000]/ItalicAngle 0/Ascent 800/Descent -200/CapHeight 700/StemV 80>>']);
    my $landlock = run([program('exedra-extract'), '--check'])->{out} =~ /^tool open: refused$/m;
    if ($landlock && -e '/usr/share/poppler/cMap') { is extract($japanese)->{text}, "テスト\n", 'Japanese' }
    else { is_refused(extract($japanese), 'file_tool_missing', 'Japanese without its tables') }
};

my $mail = <<'EML' =~ s/\n/\r\n/gr;
From: =?iso-8859-1?Q?J=FCrgen?= <j@example.org>
To: a@example.org, "B, C" <b@example.org>
Subject: =?utf-8?B?R3LDvMOfZQ==?=
Date: Fri, 2 Jan 2026 03:04:05 +0100
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=x

--x
Content-Type: multipart/alternative; boundary=y

--y
Content-Type: text/plain; charset=koi8-r
Content-Transfer-Encoding: quoted-printable

=F0=D2=C9=D7=C5=D4
--y
Content-Type: text/html

<p>html</p>
--y--
--x
Content-Type: application/pdf
Content-Disposition: attachment; filename="Gru=?utf-8?Q?=C3=9F?=.pdf"

%PDF-1.4
--x--
EML

subtest 'mail' => sub {
    my $got = extract($mail);
    like $got->{text}, qr/\ASubject: Grüße\nFrom: Jürgen <j\@example\.org>\nTo: a\@example\.org, "B, C" <b\@example\.org>\nDate: 2026-01-02T03:04:05\+01:00\n\nПривет\n\nAttachments: Gru.*\.pdf\n\z/,
        'headers, the plain part, names of attachments';
    is_deeply $got->{head}, { kind => 'message/rfc822', title => 'Grüße', author => 'Jürgen <j@example.org>', published => '2026-01-02T03:04:05+01:00' }, 'what is known of it';
    my $html = "From: a\@b.c\nSubject: s\nMIME-Version: 1.0\nContent-Type: multipart/alternative; boundary=y\n\n--y\nContent-Type: text/plain\n\n \n--y\n"
        . "Content-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: base64\n\nPHA+VOR4dDxwPm1vcmU=\n--y--\n";
    is extract($html)->{text}, "Subject: s\nFrom: a\@b.c\n\nTäxt\n\nmore\n", 'HTML where the plain part is empty';
    is extract("Subject: s\n\nbody\n", qw(--name a.eml))->{head}{kind}, 'message/rfc822', 'by its name';
    is extract("Subject: s\n\nbody\n", qw(--name a.txt))->{head}{kind}, 'text/plain', 'a note that begins like one';
    my $box = join '', map { "From x\@example.org Mon Jan  5 07:08:09 2026\nFrom: $_\@example.org\nSubject: $_\n\nBody of $_.\n\n" } qw(one two);
    is_deeply extract($box, qw(--parts --name a.txt))->{parts}, [map { { part => $_->[0], title => $_->[1], author => "$_->[1]\@example.org",
        text => "Subject: $_->[1]\nFrom: $_->[1]\@example.org\n\nBody of $_->[1].\n" } } [1, 'one'], [2, 'two']], 'a box of them, whatever it is called';
    my $locked = "From: a\@b.c\nSubject: s\nMIME-Version: 1.0\nContent-Type: multipart/encrypted; boundary=q; protocol=\"application/pgp-encrypted\"\n\n"
        . "--q\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n--q\nContent-Type: application/octet-stream\n\nx\n--q--\n";
    is_refused(extract($locked), 'file_encrypted', 'an encrypted one');
};

subtest 'with programs of others' => sub {
    plan skip_all => 'unrtf is missing' if !program('unrtf');
    plan skip_all => 'tesseract is missing' if !program('tesseract');
    my $rtf = q({\rtf1\ansi\ansicpg1252{\info{\title An RTF}{\author Jane}}\b Head\b0\par \'e9 \u8364? \u-10179?\u-8704? \u8220?x\u8221? \uc0\u8220 y\u8221\par)
        . q(\trowd\cellx1000\cellx2000\pard\intbl A1\cell B1\cell\row\pard {\pict\pngblip 89504e47}End\par});
    is_text(extract($rtf), "Head\né € 😀 “x” “y”\n\nA1\tB1\n\nEnd\n", { kind => 'application/rtf', title => 'An RTF', author => 'Jane' }, 'RTF')
        or diag extract($rtf)->{text};
    my @links = map { "{\\field{\\*\\fldinst$_->[0]}{\\fldrslt$_->[1]}}" } ['{HYPERLINK "http://a.b/"}', ' one'], [' HYPERLINK "x"', '{\ul two}'], [' { HYPERLINK "x" }', ' {three}'];
    is extract("{\\rtf1\\ansi Links @links: the HYPERLINK\\_test{ HYPERLINK}.\\par}")->{text}, "Links one two three: the HYPERLINK-test HYPERLINK.\n", 'the text of links';
    my $joined = q({\rtf1\ansi Noted.{\footnote\pard\plain A note.} More{\super\chftn{\*\footnote\chftn\pard Another.}}.\par A\nestcell B\nestcell{\*\nesttableprops\trowd\nestrow}{\nonesttables\par}C\par});
    is extract($joined)->{text}, "Noted. A note. More Another..\nA\nB\n\nC\n", 'footnotes, and cells in cells';
    like extract(undef, { file => 't/data/letters.png' })->{text}, qr/Exedra reads text\s+in images, too: 4711/, 'an image';
    is_refused(extract($rtf, { env => { PATH => '/nonexistent' } }), 'file_tool_missing', 'no unrtf');
    is_refused(extract(png(50, 50), { env => { PATH => '/nonexistent' } }), 'file_tool_missing', 'no tesseract');
    like extract(png(50, 50), { env => { PATH => '/nonexistent' } })->{refusal}{message}, qr/tesseract/, 'and it says so';
    is_refused(extract(png(50, 50)), 'file_no_text', 'an empty image');
};

subtest 'sound' => sub {
    my $got = extract(wav(), qw(--name a.txt));
    is_refused($got, 'file_audio', 'is for others');
    is $got->{head}{kind}, 'audio/wav', 'its kind is told';
    is $got->{refusal}{kind}, 'audio/wav', 'in both places';
    is refused("\xFF\xFB\x90\x44" . "\0" x 400, qw(--name a.mp3)), 'file_audio', 'frames without a tag';
};

subtest 'the content counts, not the name' => sub {
    is extract(pdf_pages([[[60, 700, 'x']]]), qw(--name a.txt))->{head}{kind}, 'application/pdf', 'a PDF called .txt';
    is extract('<!doctype html><p>x', qw(--name a.pdf))->{head}{kind}, 'text/html', 'a page called .pdf';
    is extract("only text\n", qw(--name a.docx --type application/pdf))->{head}{kind}, 'text/plain', 'a text called .docx';
    is extract(docx(docx_paragraphs('x')), qw(--name a.xlsx))->{text}, "x\n", 'a document called .xlsx';
    is extract("no tags\n", qw(--name a.xml))->{head}{kind}, 'text/plain', 'a text called .xml';
    is extract(docx(docx_paragraphs('x')), '--name', '.docx' . 'x' x 10_000 . '../../\\')->{text}, "x\n", 'an odd name';
    my $svg = '<svg xmlns="http://www.w3.org/2000/svg"><text>in a picture</text></svg>';
    is_text(extract("$_$svg", qw(--name a.svg)), "in a picture\n", { kind => 'text/xml' }, 'a drawing') for '', '<?xml version="1.0"?>';
    is extract("A file that begins with `%PDF-1.7` is a PDF.\n", qw(--name a.md))->{head}{kind}, 'text/markdown', 'a text about PDFs';
    is extract("junk%PDF" . substr(pdf_pages([[[60, 700, "x\1\2\3\4"]]]), 4) . "\1" x 200)->{head}{kind}, 'application/pdf', 'junk in its first line';
    is extract("P1 - it is down\n", qw(--name a.txt))->{head}{kind}, 'text/plain', 'a text that begins like a picture in numbers';
    is refused("P1\n# a picture\n2 2\n0 1 1 0\n", qw(--name a.txt)), 'file_unknown_kind', 'such a picture';
    my @unknown = (['a program', slurp($^X)], ['noise', join '', map { chr(($_ * 7919 + ($_ >> 3) * 31) % 256) } 1 .. 5000], ['an archive', zip_archive('a.txt' => 'x')],
        ['old Office', "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1" . "\0" x 600], ['for a printer', "%!PS-Adobe-3.0\nshowpage\n"], ['packed', "\x1F\x8B\x08" . "\0" x 50]);
    is refused($_->[1], qw(--name a.txt)), 'file_unknown_kind', $_->[0] for @unknown;
};

done_testing;
