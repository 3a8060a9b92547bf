/* SPDX-License-Identifier: ISC */
#include "base/outbound.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A network: its first `bits` bits.  IPv4 stands in its mapped form, so that one comparison serves both. */
struct network {
	unsigned char at[16];
	int bits;
};

/* Not global unicast: IANA's special-purpose registries (RFC 6890 and successors), and 168.63.129.16, which is a
 * cloud's metadata service on a public address. */
static const char *const refused[] = {"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16",
	"169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16",
	"198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"};
/* Of IPv6 only 2000::/3 is global unicast, less these: documentation, benchmarks, Teredo, 6to4. */
static const char *const refused6[] = {"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"};

static void map4(unsigned char at[16], const void *address)
{
	memset(at, 0, 10);
	at[10] = at[11] = 0xff;
	memcpy(at + 12, address, 4);
}

/* Bits of a prefix, or -1: what is no number would be 0 to atoi(), and that is every address. */
static int parse_bits(const char *text, int most)
{
	size_t len = strspn(text, "0123456789");
	int bits = len == 0 || len > 3 || text[len] != '\0' ? -1 : atoi(text);

	return bits > most ? -1 : bits;
}

static bool parse_network(const char *text, size_t len, struct network *network)
{
	char copy[64], *slash;
	struct in_addr four;
	int most = 128;

	if (len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	slash = strchr(copy, '/');
	if (slash != NULL)
		*slash++ = '\0';
	if (inet_pton(AF_INET, copy, &four) == 1) {
		map4(network->at, &four);
		most = 32;
	} else if (inet_pton(AF_INET6, copy, network->at) != 1) {
		return false;
	}
	network->bits = slash == NULL ? most : parse_bits(slash, most);
	if (network->bits < 0)
		return false;
	network->bits += 128 - most;
	return true;
}

static bool within(const unsigned char at[16], const struct network *network)
{
	int whole = network->bits / 8, rest = network->bits % 8;

	if (memcmp(at, network->at, (size_t)whole) != 0)
		return false;
	return rest == 0 || ((at[whole] ^ network->at[whole]) >> (8 - rest)) == 0;
}

static bool in_any(const unsigned char at[16], const char *const *list, size_t n)
{
	struct network network;
	size_t i;

	for (i = 0; i < n; i++)
		if (parse_network(list[i], strlen(list[i]), &network) && within(at, &network))
			return true;
	return false;
}

static bool listed(const unsigned char at[16], const char *allowed)
{
	struct network network;

	while (*allowed != '\0') {
		size_t len = strcspn(allowed, " ");

		if (len > 0 && parse_network(allowed, len, &network) && within(at, &network))
			return true;
		allowed += len + (allowed[len] == ' ');
	}
	return false;
}

/* The address in its mapped form; false when it is neither kind. */
static bool read_address(const struct sockaddr *address, unsigned char at[16])
{
	struct sockaddr_in four;
	struct sockaddr_in6 six;

	if (address != NULL && address->sa_family == AF_INET) {
		memcpy(&four, address, sizeof(four));
		map4(at, &four.sin_addr);
		return true;
	}
	if (address != NULL && address->sa_family == AF_INET6) {
		memcpy(&six, address, sizeof(six));
		memcpy(at, &six.sin6_addr, 16);
		return true;
	}
	return false;
}

/* A public address of this machine leads past the firewall before it, and back to us.  When the system does not say
 * what its addresses are, none is permitted. */
static bool our_own(const unsigned char at[16])
{
	struct ifaddrs *all, *one;
	unsigned char own[16];
	bool ours = false;

	if (getifaddrs(&all) < 0)
		return true;
	for (one = all; one != NULL && !ours; one = one->ifa_next)
		ours = read_address(one->ifa_addr, own) && memcmp(own, at, sizeof(own)) == 0;
	freeifaddrs(all);
	return ours;
}

bool outbound_permitted(const struct sockaddr *address, const char *allowed)
{
	unsigned char at[16];
	struct in6_addr six;

	if (!read_address(address, at))
		return false;
	if (listed(at, allowed))
		return true;
	if (our_own(at))
		return false;
	memcpy(&six, at, 16);
	if (IN6_IS_ADDR_V4MAPPED(&six))
		return !in_any(at, refused, sizeof(refused) / sizeof(refused[0]));
	return (at[0] & 0xe0) == 0x20 && !in_any(at, refused6, sizeof(refused6) / sizeof(refused6[0]));
}

bool outbound_list_valid(const char *allowed)
{
	struct network network;

	while (*allowed != '\0') {
		size_t len = strcspn(allowed, " ");

		if (len > 0 && !parse_network(allowed, len, &network))
			return false;
		allowed += len + (allowed[len] == ' ');
	}
	return true;
}

bool outbound_ports_valid(const char *ports)
{
	while (*(ports += strspn(ports, " ")) != '\0') {
		size_t len = strspn(ports, "0123456789");
		long port = len == 0 || len > 5 ? 0 : strtol(ports, NULL, 10);

		if (port < 1 || port > 65535 || (ports[len] != ' ' && ports[len] != '\0'))
			return false;
		ports += len;
	}
	return true;
}
