/* SPDX-License-Identifier: MIT */
/*
 * What the boot image trusts: /etc/mortise/trust.yaml, or the words of mortise.trust= on the kernel
 * command line. An attacker who can write the disks cannot change either of them.
 */
#ifndef CONFIG_TRUST_H
#define CONFIG_TRUST_H

#include "config/config.h"

#define CONFIG_TRUST_FILE "/etc/mortise/trust.yaml"
#define CONFIG_TRUST_SOURCE_ROOM 320u
/* Bytes: architectures limit the command line to 4 KiB, or 64 KiB on S/390. */
#define CONFIG_COMMAND_LINE_MAX (72u << 10)

/* A bit of given: this member was written down, even if with its default. */
enum config_trust_member {
	CONFIG_TRUST_STATE_ENCRYPTED,
	CONFIG_TRUST_STATE_KEYS,
	CONFIG_TRUST_HEADERS,
	CONFIG_TRUST_KMS_ENDPOINTS,
	CONFIG_TRUST_KMS_INSECURE,
	CONFIG_TRUST_KMS_CA,
	CONFIG_TRUST_META_NODE_UUID,
	CONFIG_TRUST_NODE_ID,
	CONFIG_TRUST_MEMBERS,
};

/* Sources of this machine's name. */
enum config_node_id {
	CONFIG_NODE_SMBIOS,
	CONFIG_NODE_DEVICE_TREE,
	CONFIG_NODE_MACHINE_ID,
	CONFIG_NODE_IDS,
};

struct config_trust_list {
	bool given;
	char **text;
	size_t count;
};

/* Zeros are not the defaults: use config_trust_new(). */
struct config_trust {
	/* "/etc/mortise/trust.yaml", "the kernel command line", or "A and B"; "": the defaults */
	char source[CONFIG_TRUST_SOURCE_ROOM];
	uint32_t given;		/* bit n: enum config_trust_member n */
	bool state_encrypted;	/* STATE must be LUKS2 */
	uint32_t state_keys;	/* bit n: STATE may have keys of enum config_key_kind n */
	bool headers_sealed;	/* headers without a seal are never adopted by `up` */
	/* As written. An endpoint must be in each list that is given: one for each source. */
	struct config_trust_list kms_endpoints[2];
	bool kms_insecure;	/* META may name a plain-text endpoint */
	char *kms_ca;		/* path; NULL: not pinned */
	bool meta_node_uuid;	/* META may name this machine (tag 15) */
	/* The first of these that the machine has names it; by default, smbios alone. */
	enum config_node_id node_ids[CONFIG_NODE_IDS];
	size_t node_id_count;
};

/* Makes the defaults, which require and permit nothing. NULL: out of memory. */
struct config_trust *config_trust_new(void);
void config_trust_free(struct config_trust *trust);

/*
 * Parses a trust file strictly: each unknown member is an error. source names the file, in *out and
 * in err ("trust.yaml:2:3: ..."). MORTISE_E_CONFIG.
 */
MORTISE_MUST_CHECK enum mortise_code config_trust_parse(const char *text, size_t size,
							const char *source,
							struct config_trust **out,
							struct mortise_error *err);

/*
 * Parses the words of each mortise.trust= in the kernel command line. Without any, *out has the
 * defaults. MORTISE_E_CONFIG.
 */
MORTISE_MUST_CHECK enum mortise_code config_trust_parse_command_line(const char *text, size_t size,
								     struct config_trust **out,
								     struct mortise_error *err);

/*
 * Adds what from says to trust, which keeps the stricter of both for each member. from has come from
 * another source, and loses its lists. MORTISE_E_CONFIG: both together permit nothing.
 */
MORTISE_MUST_CHECK enum mortise_code config_trust_join(struct config_trust *trust,
						       struct config_trust *from,
						       struct mortise_error *err);

#endif
