/* SPDX-License-Identifier: MIT */
#include "volume/integrity_cipher.h"

#include <stdio.h>
#include <string.h>

bool volume_integrity_encode(const struct luks2_segment *segment,
			     char cipher[static MORTISE_CIPHER_MAX + 1],
			     char tags[static VOLUME_TAGS_MAX])
{
	const char *type = segment->integrity.type;
	const size_t room = MORTISE_CIPHER_MAX + 1;
	const char *mode = strchr(segment->cipher, '-');
	const char *iv = mode ? strchr(mode + 1, '-') : NULL;
	const int name = (int)strcspn(segment->cipher, "-");
	char inner[MORTISE_CIPHER_MAX + 8];
	int size;

	if (!mode)
		return false;
	/* "aegis128-random" has no mode. */
	if (iv)
		snprintf(inner, sizeof(inner), "%.*s(%.*s)", (int)(iv - mode - 1), mode + 1, name,
			 segment->cipher);
	else
		snprintf(inner, sizeof(inner), "%.*s", name, segment->cipher);
	iv = iv ? iv : mode;
	if (!strcmp(type, "aead") && !strncmp(mode, "-ccm-", 5))
		size = snprintf(cipher, room, "capi:rfc4309(%s)%s", inner, iv);
	else if (!strcmp(type, "aead") || !strcmp(type, "none"))
		size = snprintf(cipher, room, "capi:%s%s", inner, iv);
	else if (!strcmp(type, "poly1305"))
		size = snprintf(cipher, room, "capi:rfc7539(%s,poly1305)%s", inner, iv);
	else
		size = snprintf(cipher, room, "capi:authenc(%s,%s)%s", type, inner, iv);
	snprintf(tags, VOLUME_TAGS_MAX, "%u:%s", segment->integrity.tag_size,
		 strcmp(type, "none") ? "aead" : "none");
	return size > 0 && (size_t)size < room;
}

/* Removes "WORD(" from the start and ")" from the end of the text. */
static bool unwrap(char **text, const char *word)
{
	const size_t size = strlen(word), length = strlen(*text);

	if (length <= size || strncmp(*text, word, size) || (*text)[length - 1] != ')')
		return false;
	(*text)[length - 1] = '\0';
	*text += size;
	return true;
}

void volume_integrity_parse(char cipher[static MORTISE_CIPHER_MAX + 1], char type[static 64])
{
	char copy[MORTISE_CIPHER_MAX + 1], auth[64] = "";
	char *inner = copy, *iv, *comma, *open;
	const char *tags = strchr(type, ':');

	if (tags)
		snprintf(auth, sizeof(auth), "%.63s", tags + 1);
	snprintf(copy, sizeof(copy), "%s", cipher);
	iv = strchr(copy, '-');
	if (strncmp(copy, "capi:", 5) || !iv) {
		snprintf(type, 64, "%s", auth);
		return;
	}
	*iv++ = '\0';
	inner += 5;
	if (unwrap(&inner, "rfc7539(")) {
		comma = strrchr(inner, ',');
		if (comma)
			*comma = '\0';
		snprintf(auth, sizeof(auth), "poly1305");
	} else if (unwrap(&inner, "authenc(")) {
		comma = strchr(inner, ',');
		snprintf(auth, sizeof(auth), "%.*s", (int)strcspn(inner, ","), inner);
		inner = comma ? comma + 1 : inner;
	} else {
		(void)unwrap(&inner, "rfc4309(");
	}
	open = strchr(inner, '(');
	if (open && inner[strlen(inner) - 1] == ')') {
		inner[strlen(inner) - 1] = '\0';
		*open = '\0';
		snprintf(cipher, MORTISE_CIPHER_MAX + 1, "%.60s-%.40s-%.24s", open + 1, inner, iv);
	} else {
		snprintf(cipher, MORTISE_CIPHER_MAX + 1, "%.80s-%.40s", inner, iv);
	}
	snprintf(type, 64, "%s", auth);
}
