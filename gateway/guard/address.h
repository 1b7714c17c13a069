/* Client addresses as they are counted. */
#ifndef SEALGATE_GUARD_ADDRESS_H
#define SEALGATE_GUARD_ADDRESS_H

#include <stdbool.h>

#define ADDRESS_SIZE 64

struct address {
    char host[ADDRESS_SIZE];    /* "192.0.2.1", "2001:db8::1" */
    char network[ADDRESS_SIZE]; /* "192.0.2.0/24", "2001:db8::/64"; "": TEXT was no IP address */
    /* Who has it: an IPv4 address, or an IPv6 /64, inside which one customer may take any address. */
    char client[ADDRESS_SIZE];
    bool is_v6;
};

/* An IPv4-mapped IPv6 address is the IPv4 address; a zone ("%eth0") is left out; what is no IP address stands
 * for itself. A network as text is read as its first address. */
void address_read(const char *text, struct address *address_out);

#endif
