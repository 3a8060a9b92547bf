/* SPDX-License-Identifier: ISC */
#include "core/account.h"

#include <math.h>
#include <string.h>

#include "base/field.h"
#include "base/str.h"
#include "base/utf8.h"
#include "core/password.h"

enum { PASSWORD_LEAST = 8, PASSWORD_MOST = 250, NAME_LEAST = 2, NAME_MOST = 64, BIO_MOST = 1000 };

static int refuse(struct task *task, const char *field, const char *why)
{
	return fail_field(task, 400, "user_refused", field, "%s", why);
}

static size_t characters(const char *text)
{
	size_t n = 0;

	for (; *text != '\0'; text++)
		n += ((unsigned char)*text & 0xc0) != 0x80;
	return n;
}

static int read_password(struct task *task, struct json_object *body, bool creating, struct account_wish *wish)
{
	struct json_object *value = field_get(body, "password");
	const char *text;

	if (value == NULL && !creating)
		return 0;
	if (value != NULL && !json_object_is_type(value, json_type_string))
		return refuse(task, "password", "\"value\" must be a string");
	text = value == NULL ? "" : json_object_get_string(value);
	if (*text == '\0')
		return refuse(task, "password", "\"value\" is not allowed to be empty");
	if (characters(text) < PASSWORD_LEAST)
		return refuse(task, "password", "password should be at least 8 characters long");
	if (characters(text) > PASSWORD_MOST)
		return refuse(task, "password", "password should not be longer than 250 characters");
	wish->password = password_hash(task, text);
	return wish->password == NULL ? -1 : 0;
}

static int read_username(struct task *task, struct json_object *body, bool creating, struct account_wish *wish)
{
	struct json_object *value = field_get(body, "username");
	const char *text;

	if (value == NULL && !creating)
		return 0;
	text = json_object_is_type(value, json_type_string) ? json_object_get_string(value) : "";
	if (strlen(text) > NAME_MOST)
		return refuse(task, "username", "Username cannot be longer than 64 characters");
	if (strlen(text) < NAME_LEAST)
		return refuse(task, "username", "Username must be at least 2 characters");
	if (*text < 'a' || *text > 'z' || text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._@-")] != '\0')
		return refuse(task, "username",
			"Username must start with a lowercase letter and only contain lowercase letters, numbers, "
			"underscores, "
			"hyphens, and periods");
	wish->username = text;
	return 0;
}

static int read_role(struct task *task, struct json_object *body, struct account_wish *wish)
{
	static const enum role roles[] = {MEMBER, MANAGER, ADMIN};
	struct json_object *value = field_get(body, "role");
	size_t i;

	if (value == NULL)
		return 0;
	for (i = 0; i < sizeof(roles) / sizeof(roles[0]); i++)
		if (json_object_is_type(value, json_type_string) &&
			strcmp(json_object_get_string(value), role_name(roles[i])) == 0)
			wish->role = roles[i];
	return wish->role != 0 ? 0 : refuse(task, "role", "Invalid role. Allowed roles are: default, admin, manager");
}

static int read_rest(struct task *task, struct json_object *body, struct account_wish *wish)
{
	struct json_object *bio = field_get(body, "bio"), *suspended = field_get(body, "suspended"),
			   *limit = field_get(body, "dailyMessageLimit");
	double number = limit == NULL ? 0 : json_object_get_double(limit);

	if (bio != NULL) {
		wish->bio = json_object_is_type(bio, json_type_string) ? json_object_get_string(bio) : "";
		if (characters(wish->bio) > BIO_MOST)
			return refuse(task, "bio", "Bio cannot be longer than 1,000 characters");
	}
	if (field_given(body, "dailyMessageLimit")) {
		if (limit != NULL && ((!json_object_is_type(limit, json_type_int) &&
					      !json_object_is_type(limit, json_type_double)) ||
					     number < 1 || number > 2147483647 || number != floor(number)))
			return refuse(task, "dailyMessageLimit",
				"Daily message limit must be null or a number greater than or equal to 1");
		wish->daily_limit = (int)number;
	}
	/* What is true in JavaScript: the string "0" too. */
	if (suspended != NULL)
		wish->suspended = json_object_is_type(suspended, json_type_string)
					  ? json_object_get_string_len(suspended) > 0
					  : json_object_get_boolean(suspended);
	return 0;
}

int account_read(struct task *task, struct json_object *body, bool creating, struct account_wish *wish)
{
	*wish = (struct account_wish){.suspended = -1, .daily_limit = -1};
	if (read_password(task, body, creating, wish) < 0 || read_username(task, body, creating, wish) < 0 ||
		read_role(task, body, wish) < 0)
		return -1;
	return read_rest(task, body, wish);
}

static void put_text(struct str *out, const char *name, const char *text)
{
	if (text == NULL)
		return;
	str_printf(out, "%s\"%s\":", out->len > 1 ? "," : "", name);
	str_json_text(out, text);
}

const char *account_columns(struct arena *arena, const struct account_wish *wish)
{
	struct str *out = str_new(arena);

	str_putc(out, '{');
	put_text(out, "username", wish->username);
	put_text(out, "password", wish->password);
	put_text(out, "bio", wish->bio);
	if (wish->role != 0)
		str_printf(out, "%s\"role\":%d", out->len > 1 ? "," : "", wish->role);
	if (wish->suspended >= 0)
		str_printf(out, "%s\"suspended\":%s", out->len > 1 ? "," : "", wish->suspended != 0 ? "true" : "false");
	if (wish->daily_limit == 0)
		str_printf(out, "%s\"daily_limit\":null", out->len > 1 ? "," : "");
	else if (wish->daily_limit > 0)
		str_printf(out, "%s\"daily_limit\":%d", out->len > 1 ? "," : "", wish->daily_limit);
	str_putc(out, '}');
	return out->at;
}
