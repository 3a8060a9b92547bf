/* SPDX-License-Identifier: ISC
 * Sizes of bodies.  configure knows the numbers, so that nginx's snippet says the same. */
#ifndef EXEDRA_LIMITS_H
#define EXEDRA_LIMITS_H

#include "config.h"

#define LIMIT_JSON ((size_t)LIMIT_JSON_MIB << 20)     /* a JSON object */
#define LIMIT_TEXT ((size_t)LIMIT_TEXT_MIB << 20)     /* raw text, chats with attachments */
#define LIMIT_UPLOAD ((size_t)LIMIT_UPLOAD_MIB << 20) /* a file */
#define LIMIT_WIDGET ((size_t)256 << 10)              /* a visitor's question */

#endif
