# SPDX-License-Identifier: ISC
#
# Small documents of many kinds, made in Perl: whole ones, and ones that no program would write.
# Texts are strings of characters; what is returned is bytes.
package Exedra::Samples;
use strict;
use warnings;
use utf8;

use Compress::Raw::Zlib ();
use Digest::MD5 ();
use Encode ();
use Exporter qw(import);

our @EXPORT_OK = qw(zip_archive zip_bomb docx docx_paragraphs pptx xlsx odf epub pdf pdf_pages pdf_locked png wav xml_text);

sub xml_text {
    my ($text) = @_;
    $text =~ s/&/&amp;/g;
    $text =~ s/</&lt;/g;
    $text =~ s/"/&quot;/g;
    return $text;
}

# ---- zip archives

sub deflated {
    my ($bytes) = @_;
    my ($deflate) = Compress::Raw::Zlib::Deflate->new(-WindowBits => -15, -AppendOutput => 1);
    my $packed = '';
    $deflate->deflate($bytes, $packed);
    $deflate->flush($packed);
    return $packed;
}

# Of members: name => bytes, or name => { bytes, stored, flags, packed, size, crc }, where the last ones are what the
# archive says of a member, true or not.  A name may stand twice.
sub zip_archive {
    my @members = @_;
    my ($out, $directory, $n) = ('', '', 0);
    while (my ($name, $with) = splice @members, 0, 2) {
        $with = { bytes => $with } if !ref $with;
        my $bytes = $with->{bytes} // '';
        $bytes = Encode::encode('UTF-8', $bytes) if utf8::is_utf8($bytes);
        my $stored = $with->{stored} // ($name eq 'mimetype');
        my $packed = $with->{packed} // ($stored ? $bytes : deflated($bytes));
        my $crc = $with->{crc} // Compress::Raw::Zlib::crc32($bytes);
        my $fields = pack 'v v v v V V V v', $with->{flags} // 0, $stored ? 0 : 8, 0, 0x5821, $crc, length $packed,
            $with->{size} // length $bytes, length $name;
        $directory .= pack('V v v', 0x02014b50, 20, 20) . $fields . pack('v v v v V V', 0, 0, 0, 0, 0, length $out) . $name;
        $out .= pack('V v', 0x04034b50, 20) . $fields . pack('v', 0) . $name . $packed;
        $n++;
    }
    return $out . $directory . pack 'V v v v v V V v', 0x06054b50, 0, 0, $n, $n, length $directory, length $out, 0;
}

# A member that unpacks to so many MiB of one character, as zip_archive() takes it.
sub zip_bomb {
    my ($mib, $head, $tail) = @_;
    my ($deflate) = Compress::Raw::Zlib::Deflate->new(-WindowBits => -15, -AppendOutput => 1);
    my ($packed, $piece, $size, $crc) = ('', 'a' x (1 << 20), 0, 0);
    for my $bytes ($head, ($piece) x $mib, $tail) {
        $deflate->deflate($bytes, $packed);
        $crc = Compress::Raw::Zlib::crc32($bytes, $crc);
        $size += length $bytes;
    }
    $deflate->flush($packed);
    return { packed => $packed, size => $size, crc => $crc };
}

# ---- Office Open XML

my $declaration = qq{<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n};
my $office = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships';

sub relations {
    my @relations = @_;
    my $n = 0;
    return $declaration . '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        . join('', map { ++$n; qq{<Relationship Id="rId$n" Type="$office/$_->[0]" Target="$_->[1]"/>} } @relations) . '</Relationships>';
}

sub office_members {
    my ($type, $main, %with) = @_;
    return (
        '[Content_Types].xml' => $declaration . '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
            . '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
            . qq{<Override PartName="/$main" ContentType="$type.main+xml"/></Types>},
        '_rels/.rels' => relations([officeDocument => $main], ['metadata/core-properties' => 'docProps/core.xml']),
        'docProps/core.xml' => $declaration . '<cp:coreProperties xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/'
            . 'core-properties" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:dcterms="http://purl.org/dc/terms/">'
            . join('', map { defined $with{$_} ? "<$_>" . xml_text($with{$_}) . "</$_>" : () }
                qw(dc:title dc:creator dc:description dcterms:created)) . '</cp:coreProperties>',
    );
}

# The body of document.xml, already XML, and what core.xml says; `members` adds and replaces.
sub docx {
    my ($body, %with) = @_;
    my $w = 'http://schemas.openxmlformats.org/wordprocessingml/2006/main';
    my %more = %{ delete $with{members} // {} };
    my @members = (
        office_members('application/vnd.openxmlformats-officedocument.wordprocessingml.document', 'word/document.xml', %with),
        'word/_rels/document.xml.rels' => relations([footnotes => 'footnotes.xml']),
        'word/document.xml' => $declaration . ($with{doctype} // '')
            . qq{<w:document xmlns:w="$w" xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"><w:body>$body</w:body></w:document>},
    );
    my @names = grep { !exists $more{$_} } map { $members[2 * $_] } 0 .. $#members / 2;
    my %all = (@members, %more);
    return zip_archive(map { ($_ => $all{$_}) } @names, sort keys %more);
}

sub docx_paragraphs {
    return join '', map { '<w:p><w:r><w:t xml:space="preserve">' . xml_text($_) . '</w:t></w:r></w:p>' } @_;
}

# Slides, each { title, text => [...], notes }.
sub pptx {
    my ($slides, %with) = @_;
    my $a = 'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
        . 'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" xmlns:r="' . $office . '"';
    my $shape = sub {
        my ($type, @texts) = @_;
        return qq{<p:sp><p:nvSpPr><p:nvPr><p:ph type="$type"/></p:nvPr></p:nvSpPr><p:txBody>}
            . join('', map { '<a:p><a:r><a:t>' . xml_text($_) . '</a:t></a:r></a:p>' } @texts) . '</p:txBody></p:sp>';
    };
    my $n = @$slides;
    # in the archive they stand in another order than they are shown in
    my @order = reverse 1 .. $n;
    my @members = office_members('application/vnd.openxmlformats-officedocument.presentationml.presentation', 'ppt/presentation.xml', %with);
    push @members, 'ppt/_rels/presentation.xml.rels' => relations(map { [slide => "slides/slide$order[$_ - 1].xml"] } 1 .. $n);
    push @members, 'ppt/presentation.xml' => "$declaration<p:presentation $a><p:sldIdLst>"
        . join('', map { sprintf '<p:sldId id="%d" r:id="rId%d"/>', 255 + $_, $_ } 1 .. $n) . '</p:sldIdLst></p:presentation>';
    for my $i (1 .. $n) {
        my $slide = $slides->[$n - $i];
        push @members, "ppt/slides/slide$i.xml" => "$declaration<p:sld $a><p:cSld><p:spTree>" . $shape->('title', $slide->{title})
            . $shape->('body', @{ $slide->{text} }) . $shape->('sldNum', "number $i") . '</p:spTree></p:cSld></p:sld>';
        next if !defined $slide->{notes};
        push @members, "ppt/slides/_rels/slide$i.xml.rels" => relations([notesSlide => "../notesSlides/notes$i.xml"]);
        push @members, "ppt/notesSlides/notes$i.xml" => "$declaration<p:notes $a>" . $shape->('body', $slide->{notes}) . '</p:notes>';
    }
    return zip_archive(@members);
}

# Sheets: name => XML of sheetData.  `strings` are the shared ones, `formats` those of styles 0, 1, ...
sub xlsx {
    my ($sheets, %with) = @_;
    my $s = 'http://schemas.openxmlformats.org/spreadsheetml/2006/main';
    my @members = office_members('application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', 'xl/workbook.xml', %with);
    my ($n, $list, @relations) = (0, '');
    while (my ($name, $data) = splice @$sheets, 0, 2) {
        $n++;
        $list .= sprintf '<sheet name="%s" sheetId="%d" r:id="rId%d"/>', xml_text($name), $n, $n;
        push @relations, [worksheet => "worksheets/sheet$n.xml"];
        push @members, "xl/worksheets/sheet$n.xml" =>
            qq{$declaration<worksheet xmlns="$s"><dimension ref="A1:XFD1048576"/><sheetData>$data</sheetData></worksheet>};
    }
    my @formats = @{ $with{formats} // [] };
    push @relations, [sharedStrings => 'sharedStrings.xml'], [styles => 'styles.xml'];
    push @members, 'xl/_rels/workbook.xml.rels' => relations(@relations),
        'xl/workbook.xml' => qq{$declaration<workbook xmlns="$s" xmlns:r="$office"><sheets>$list</sheets></workbook>},
        'xl/sharedStrings.xml' => qq{$declaration<sst xmlns="$s">}
            . join('', map { '<si><t>' . xml_text($_) . '</t></si>' } @{ $with{strings} // [] }) . '</sst>',
        'xl/styles.xml' => qq{$declaration<styleSheet xmlns="$s"><numFmts>}
            . join('', map { sprintf '<numFmt numFmtId="%d" formatCode="%s"/>', 200 + $_, xml_text($formats[$_]) } 0 .. $#formats)
            . '</numFmts><cellXfs>' . join('', map { sprintf '<xf numFmtId="%d"/>', 200 + $_ } 0 .. $#formats) . '</cellXfs></styleSheet>';
    return zip_archive(@members);
}

# ---- OpenDocument, books

# `kind` is text, presentation or spreadsheet; the body is XML.
sub odf {
    my ($kind, $body, %with) = @_;
    my $names = join ' ', map { qq{xmlns:$_="urn:oasis:names:tc:opendocument:xmlns:$_:1.0"} }
        qw(office text table draw presentation meta manifest);
    $names .= ' xmlns:dc="http://purl.org/dc/elements/1.1/"';
    return zip_archive(
        mimetype => "application/vnd.oasis.opendocument.$kind",
        'META-INF/manifest.xml' => qq{$declaration<manifest:manifest $names>} . ($with{manifest} // '') . '</manifest:manifest>',
        'meta.xml' => qq{$declaration<office:document-meta $names><office:meta>}
            . join('', map { defined $with{$_} ? "<$_>" . xml_text($with{$_}) . "</$_>" : () } qw(dc:title meta:initial-creator dc:language))
            . '</office:meta></office:document-meta>',
        'content.xml' => $declaration . ($with{doctype} // '')
            . qq{<office:document-content $names><office:body><office:$kind>$body</office:$kind></office:body></office:document-content>},
    );
}

# Chapters, each a whole XHTML page.
sub epub {
    my ($chapters, %with) = @_;
    my $n = @$chapters;
    return zip_archive(
        mimetype => 'application/epub+zip',
        'META-INF/container.xml' => qq{$declaration<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles>}
            . '<rootfile full-path="OEBPS/content.opf" media-type="application/oebps-package+xml"/></rootfiles></container>',
        %{ $with{members} // {} },
        # the manifest's order is not the spine's
        'OEBPS/content.opf' => qq{$declaration<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>}
            . join('', map { defined $with{$_} ? "<$_>" . xml_text($with{$_}) . "</$_>" : () } qw(dc:title dc:creator dc:language dc:date))
            . '</metadata><manifest>'
            . join('', map { qq{<item id="c$_" href="text/chapter%20$_.xhtml" media-type="application/xhtml+xml"/>} } reverse 1 .. $n)
            . '</manifest><spine>' . join('', map { qq{<itemref idref="c$_"/>} } 1 .. $n) . '</spine></package>',
        map { ("OEBPS/text/chapter $_.xhtml" => $chapters->[$_ - 1]) } 1 .. $n,
    );
}

# ---- PDF

# Objects (their texts, from number 1 on) and what the trailer says besides.
sub pdf {
    my ($objects, %with) = @_;
    my ($out, @at) = ("%PDF-1.4\n");
    for my $i (1 .. @$objects) {
        push @at, length $out;
        $out .= "$i 0 obj\n$objects->[$i - 1]\nendobj\n";
    }
    my $xref = length $out;
    my $size = @$objects + 1;
    return $out . "xref\n0 $size\n0000000000 65535 f \n" . join('', map { sprintf "%010d 00000 n \n", $_ } @at)
        . "trailer\n<</Size $size/Root 1 0 R" . ($with{trailer} // '') . ">>\nstartxref\n$xref\n%%EOF\n";
}

sub rc4 {
    my ($key, $text) = @_;
    my @s = 0 .. 255;
    my @k = unpack 'C*', $key;
    my ($i, $j) = (0, 0);
    for my $n (0 .. 255) {
        $j = ($j + $s[$n] + $k[$n % @k]) % 256;
        @s[$n, $j] = @s[$j, $n];
    }
    $j = 0;
    return pack 'C*', map {
        $i = ($i + 1) % 256;
        $j = ($j + $s[$i]) % 256;
        @s[$i, $j] = @s[$j, $i];
        $_ ^ $s[($s[$i] + $s[$j]) % 256];
    } unpack 'C*', $text;
}

# Pages, each a list of [x, y, text]; `info` is the inside of the information dictionary.
sub pdf_pages {
    my ($pages, %with) = @_;
    my $n = @$pages;
    my $cipher = $with{cipher} // sub { $_[1] };
    my @objects = ('<</Type/Catalog/Pages 2 0 R>>',
        "<</Type/Pages/Count $n/Kids[" . join(' ', map { 5 + 2 * $_ . ' 0 R' } 0 .. $n - 1) . ']>>',
        '<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>', '<<' . ($with{info} // '') . '>>');
    for my $page (@$pages) {
        my $number = @objects + 2;
        my $text = join '', map { "BT /F1 10 Tf $_->[0] $_->[1] Td ($_->[2]) Tj ET\n" } @$page;
        $text = $cipher->($number, $text);
        push @objects, "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Resources<</Font<</F1 3 0 R>>>>/Contents $number 0 R>>",
            '<</Length ' . length($text) . ">>stream\n$text\nendstream";
    }
    return pdf([@objects, @{ $with{objects} // [] }], trailer => '/Info 4 0 R' . ($with{trailer} // ''));
}

# The same under lock and key (standard handler, 40 bits): the user's password is asked for unless it is ''.
sub pdf_locked {
    my ($pages, $password) = @_;
    my $padding = pack 'H*', '28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A';
    my $padded = substr "$password$padding", 0, 32;
    my $id = 'exedra exedra ex';
    my $owner = rc4(substr(Digest::MD5::md5(substr "owner$padding", 0, 32), 0, 5), $padded);
    my $key = substr Digest::MD5::md5($padded . $owner . pack('V', 0xFFFFFFC4) . $id), 0, 5;
    my $cipher = sub { rc4(substr(Digest::MD5::md5($key . substr(pack('V', $_[0]), 0, 3) . "\0\0"), 0, 10), $_[1]) };
    my $lock = sprintf '<</Filter/Standard/V 1/R 2/Length 40/P -60/O<%s>/U<%s>>>', unpack('H*', $owner), unpack('H*', rc4($key, $padding));
    return pdf_pages($pages, cipher => $cipher, trailer => "/ID[<" . unpack('H*', $id) . '><' . unpack('H*', $id) . ">]/Encrypt $lock");
}

# ---- others

# A white image in shades of grey, 1 bit a pixel, with as many rows as there is patience for: the rest is missing.
sub png {
    my ($width, $height, %with) = @_;
    my $chunk = sub {
        my ($type, $bytes) = @_;
        return pack('N', length $bytes) . $type . $bytes . pack 'N', Compress::Raw::Zlib::crc32("$type$bytes");
    };
    my $rows = $with{rows} // $height;
    my ($deflate) = Compress::Raw::Zlib::Deflate->new(-AppendOutput => 1);
    my $packed = '';
    my $row = "\0" . "\xFF" x (($width + 7) / 8);
    $deflate->deflate($row, $packed) for 1 .. $rows;
    $deflate->flush($packed);
    return "\x89PNG\r\n\x1a\n" . $chunk->(IHDR => pack 'N N C5', $width, $height, 1, 0, 0, 0, 0) . $chunk->(IDAT => $packed) . $chunk->(IEND => '');
}

sub wav {
    my $samples = "\0\0" x 800;
    return 'RIFF' . pack('V', 36 + length $samples) . 'WAVEfmt ' . pack('V v v V V v v', 16, 1, 1, 8000, 16000, 2, 16)
        . 'data' . pack('V', length $samples) . $samples;
}

1;
