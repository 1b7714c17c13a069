/* One table: what a status code means for the person who wrote the message. */
#include <string.h>

#include "gateway/delivery/dsn.h"

static const struct {
    const char *status; /* as RFC 3463 writes it; one that ends in "." stands for all below it */
    const char *advice;
} table[] = {
    {"5.1.1",
     "There is no such address. Check it for typing mistakes, or ask the recipient for the right one."},
    {"5.1.2", "There is no such domain. Check the part behind the @ for typing mistakes."},
    {"5.1.10", "This domain says that it accepts no mail at all. Ask the recipient for another address."},
    {"5.1.", "The address is not accepted there. Check it, or ask the recipient for the right one."},
    {"5.2.2", "The recipient's mailbox is full. Tell them by other means, and send the message again later."},
    {"5.2.3",
     "The message is too large for the recipient. Send less at once, or share the file in another way."},
    {"5.3.4",
     "The message is too large for the recipient's mail server. Send less at once, or share the file in "
     "another way."},
    {"5.4.4",
     "The mail server of this domain cannot be found. Check the part behind the @ for typing mistakes."},
    {"5.4.6", "The mail would go round in circles. Tell your administrator: the domain's MX record and this "
              "gateway's routes do not fit."},
    {"5.6.3",
     "The recipient's mail server only takes plain 7-bit text. Send the message again with your mail "
     "program set to encode it (quoted-printable or base64)."},
    {"5.6.7",
     "The recipient's mail server cannot take international mail: letters outside plain ASCII in an address "
     "or in the header. Use addresses in plain ASCII letters, and ask the recipient for such a one."},
    {"5.6.",
     "The message itself is not accepted. Send it again in a simpler form; if that does not help, show "
     "this report to your administrator."},
    {"5.7.30",
     "You asked that the message travel over verified TLS only, all the way (REQUIRETLS). The way to this "
     "recipient does not offer that, so it was not sent. Send it without that demand, or ask the recipient's "
     "administrator for REQUIRETLS."},
    {"5.7.", "The recipient's mail server refuses the message by its rules. Its words stand above; ask the "
             "recipient by other means, or show this report to your administrator."},
    {"4.4.7",
     "Delivery was tried for as long as this gateway waits. Try again later, or reach the recipient by "
     "other means."},
};

static const char returned[] = "Your organisation did not let this message go as it is. If a "
                               "certificate is missing or has expired: "
                               "ask the recipient for a valid OpenPGP or S/MIME certificate, have your "
                               "administrator add it, and send the "
                               "message again.";

static const char other[] =
    "The recipient's mail server refused the message for good. Its words stand above. Show "
    "this report to your administrator if they do not help.";

const char *dsn_advice(const struct result *result)
{
    if (result->failure == FAILURE_RETURN)
        return returned;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        size_t len = strlen(table[i].status);
        bool prefix = table[i].status[len - 1] == '.';
        if (prefix ? strncmp(result->status, table[i].status, len) == 0
                   : strcmp(result->status, table[i].status) == 0)
            return table[i].advice;
    }
    return other;
}
