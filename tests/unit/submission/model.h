/*
 * What a session answers to which command in which order, told as simply as possible and without a look at
 * the verb table. A command is one line, or BDAT with its bytes, which look like a command.
 */
#ifndef SEALGATE_TESTS_SUBMISSION_MODEL_H
#define SEALGATE_TESTS_SUBMISSION_MODEL_H

#include <stdbool.h>
#include <stddef.h>

#define MODEL_LOGIN "AUTH PLAIN AGFsaWNlAHNlY3JldA==" /* \0alice\0secret */
#define MODEL_MESSAGE "Subject: x\r\n\r\ny\r\n.\r\n"  /* behind 354 */

enum model_stage { STAGE_CLEAR, STAGE_TLS, STAGE_LOGIN, N_STAGES };

/* What the model knows of a session. */
struct model {
    bool tls, hello, esmtp, auth, mail, rcpt, chunks, lost, over;
};

static inline void model_forget_mail(struct model *m)
{
    m->mail = m->rcpt = m->chunks = m->lost = false;
}

/* Why mail cannot be sent; 0: it can. */
static inline int model_not_let_in(const struct model *m)
{
    if (!m->tls)
        return 530;
    if (!m->hello)
        return 503;
    return m->auth ? 0 : 530;
}

static inline int model_ehlo(struct model *m)
{
    m->hello = m->esmtp = true;
    model_forget_mail(m);
    return 250;
}

static inline int model_helo(struct model *m)
{
    if (!m->tls)
        return 530;
    m->hello = true;
    m->esmtp = false;
    model_forget_mail(m);
    return 250;
}

static inline int model_starttls(struct model *m)
{
    if (m->tls)
        return 503;
    *m = (struct model){.tls = true};
    return 220;
}

static inline int model_auth(struct model *m)
{
    if (!m->tls)
        return 530;
    if (!m->esmtp || m->mail || m->auth)
        return 503;
    m->auth = true;
    return 235;
}

static inline int model_mail(struct model *m)
{
    int no = model_not_let_in(m);
    if (no || m->mail)
        return no ? no : 503;
    m->mail = true;
    return 250;
}

static inline int model_rcpt(struct model *m)
{
    int no = model_not_let_in(m);
    if (no || !m->mail || m->chunks)
        return no ? no : 503;
    m->rcpt = true;
    return 250;
}

static inline int model_data(struct model *m)
{
    int no = model_not_let_in(m);
    if (no || !m->mail || m->chunks)
        return no ? no : 503;
    if (!m->rcpt)
        return 554;
    model_forget_mail(m);
    return 354;
}

static inline int model_bdat(struct model *m)
{
    int no = model_not_let_in(m);
    if (no || !m->mail)
        return no ? no : 503;
    m->chunks = true;
    m->lost |= !m->rcpt;
    return m->lost ? 554 : 250;
}

static inline int model_bdat_last(struct model *m)
{
    int code = model_bdat(m);
    if (m->chunks)
        model_forget_mail(m);
    return code;
}

static inline int model_rset(struct model *m)
{
    if (!m->tls)
        return 530;
    model_forget_mail(m);
    return 250;
}

static inline int model_noop(struct model *m)
{
    (void)m;
    return 250;
}

static inline int model_vrfy(struct model *m)
{
    return m->tls && m->auth ? 252 : 530;
}

static inline int model_help(struct model *m)
{
    return m->tls ? 214 : 530;
}

static inline int model_quit(struct model *m)
{
    m->over = true;
    return 221;
}

static inline int model_unknown(struct model *m)
{
    (void)m;
    return 500;
}

static const struct model_command {
    const char *text;
    int (*step)(struct model *);
} model_commands[] = {
    {"EHLO client.example.org\r\n", model_ehlo},
    {"HELO client.example.org\r\n", model_helo},
    {"STARTTLS\r\n", model_starttls},
    {MODEL_LOGIN "\r\n", model_auth},
    {"MAIL FROM:<a@example.org>\r\n", model_mail},
    {"RCPT TO:<b@example.com>\r\n", model_rcpt},
    {"DATA\r\n", model_data},
    {"BDAT 6\r\nQUIT\r\n", model_bdat},
    {"BDAT 6 LAST\r\nQUIT\r\n", model_bdat_last},
    {"RSET\r\n", model_rset},
    {"NOOP\r\n", model_noop},
    {"VRFY bob\r\n", model_vrfy},
    {"HELP\r\n", model_help},
    {"QUIT\r\n", model_quit},
    {"EXPN staff\r\n", model_unknown},
};

#define N_COMMANDS (sizeof model_commands / sizeof *model_commands)

/* LENGTH digits to the base of N_COMMANDS are an order of commands. */
static inline size_t model_orders(int length)
{
    size_t orders = 1;
    for (int i = 0; i < length; i++)
        orders *= N_COMMANDS;
    return orders;
}

#endif
