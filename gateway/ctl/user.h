/* What the user verbs share. */
#ifndef SEALGATE_CTL_USER_H
#define SEALGATE_CTL_USER_H

#include "gateway/ctl/ctl.h"

/* The file that the gateway reads. NULL: the users are elsewhere, and that was said. */
const char *ctl_users_file(const struct ctl *ctl);

/* A file that root made anew is given to USER, who will read it. Returns the exit code. */
int ctl_user_give(const char *path, const char *user);

/* ctl_fail with the text and the category of ERR. */
int ctl_fail_with(const struct error *err);

int ctl_user_import(struct ctl *ctl);

#endif
