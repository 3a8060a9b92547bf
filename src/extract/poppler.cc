/* SPDX-License-Identifier: ISC */
#include "extract/poppler.h"

#include <poppler-document.h>
#include <poppler-global.h>
#include <poppler-page.h>

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

struct pdf {
	std::unique_ptr<poppler::document> document;
};

static bool mended, lacking;

static void hear(const std::string &message, void *)
{
	if (message.find("reconstruct xref") != std::string::npos)
		mended = true;
	if (message.find("Missing language pack") != std::string::npos)
		lacking = true;
}

/* Without memory nothing here goes on: whoever ends the process knows why. */
static char *copy(const poppler::byte_array &bytes, size_t *len)
{
	char *text = static_cast<char *>(malloc(bytes.size() + 1));

	if (text == nullptr)
		abort();
	if (!bytes.empty())
		memcpy(text, bytes.data(), bytes.size());
	text[bytes.size()] = '\0';
	*len = bytes.size();
	return text;
}

void pdf_warm(void)
{
	static const char smallest[] =
		"%PDF-1.4\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n"
		"2 0 obj\n<</Type/Pages/Count 0/Kids[]>>\nendobj\ntrailer\n<</Root 1 0 R>>\n%%EOF\n";

	poppler::set_debug_error_function(hear, nullptr);
	/* what it has found goes with the last document: this one stays */
	poppler::document *kept = poppler::document::load_from_raw_data(smallest, sizeof(smallest) - 1);
	(void)kept;
	mended = false;
}

struct pdf *pdf_open(const char *bytes, int len, bool *locked)
{
	std::unique_ptr<poppler::document> document(poppler::document::load_from_raw_data(bytes, len));

	if (!document)
		return nullptr;
	*locked = document->is_locked();
	return new pdf{std::move(document)};
}

bool pdf_was_mended(void)
{
	return mended;
}

bool pdf_lacked_tables(void)
{
	return lacking;
}

int pdf_pages(const struct pdf *pdf)
{
	return pdf->document->pages();
}

char *pdf_text(const struct pdf *pdf, int number, size_t *len)
{
	std::unique_ptr<poppler::page> page(pdf->document->create_page(number));

	if (!page)
		return nullptr;
	return copy(page->text(poppler::rectf(), poppler::page::non_raw_non_physical_layout).to_utf8(), len);
}

char *pdf_info(const struct pdf *pdf, const char *key, size_t *len)
{
	poppler::ustring value = pdf->document->info_key(key);

	return value.empty() ? nullptr : copy(value.to_utf8(), len);
}

time_t pdf_made_at(const struct pdf *pdf)
{
	return pdf->document->info_date_t("CreationDate");
}
