/* SPDX-License-Identifier: ISC
 * The families of documents, a file each.  A reader runs in a process that is shut in, has the file on descriptor 0,
 * and prints through output.h; what is wrong with the file it refuses.  What it needs of the system's files (modules,
 * tables) is loaded by its `prepare`, before. */
#ifndef EXEDRA_EXTRACT_READERS_H
#define EXEDRA_EXTRACT_READERS_H

void text_prepare(void);
void text_read(void);
void html_prepare(void); /* of XML too */
void html_read(void);
void xml_read(void);
void docx_read(void);
void pptx_read(void);
void xlsx_read(void);
void odt_read(void);
void odp_read(void);
void ods_read(void);
void epub_read(void);
void mail_prepare(void);
void mail_read(void);
void mbox_read(void);
void pdf_prepare(void);
void pdf_read(void);
/* From the HTML that unrtf prints, and the text that tesseract does. */
void rtf_filter(void); /* the work of a process of its own: what unrtf is to read, on descriptor 1 */
void rtf_read(void);
void image_read(void);

#endif
