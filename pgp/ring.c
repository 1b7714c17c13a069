#include "pgp/ring.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/memfile.h"

struct entry {
    char *path; /* named by what is in it (pgp.h), so it stands for the certificate */
    char fingerprint[PGP_FINGERPRINT_SIZE];
};

struct pgp_ring {
    int fd;
    struct entry entries[PGP_RING_MAX];
    size_t n;
};

struct pgp_ring *pgp_ring_new(void)
{
    struct pgp_ring *ring = calloc(1, sizeof *ring);
    struct error err;

    if (ring && memfile_create("keyring", &ring->fd, &err) != STATUS_OK) {
        free(ring);
        return NULL;
    }
    return ring;
}

void pgp_ring_free(struct pgp_ring *ring)
{
    if (!ring)
        return;
    for (size_t i = 0; i < ring->n; i++)
        free(ring->entries[i].path);
    close(ring->fd);
    free(ring);
}

int pgp_ring_fd(const struct pgp_ring *ring)
{
    return ring->fd;
}

size_t pgp_ring_count(const struct pgp_ring *ring)
{
    return ring->n;
}

int pgp_ring_find(const struct pgp_ring *ring, const struct pgp_recipient *recipient)
{
    for (size_t i = 0; i < ring->n; i++)
        if (strcmp(ring->entries[i].path, recipient->certificate_path) == 0)
            return (int)i;
    return -1;
}

static bool has_place(const struct pgp_ring *ring, const char *fingerprint)
{
    for (size_t i = 0; i < ring->n; i++)
        if (strcmp(ring->entries[i].fingerprint, fingerprint) == 0)
            return false;
    return ring->n < PGP_RING_MAX;
}

/* The whole file at PATH, behind what the ring holds. */
static bool append_file(int ring, const char *path)
{
    char bytes[16384];
    struct error err;
    ssize_t n;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return false;
    while ((n = read(fd, bytes, sizeof bytes)) > 0)
        if (memfile_write(ring, span_of(bytes, (size_t)n), &err) != STATUS_OK)
            break;
    close(fd);
    return n == 0;
}

bool pgp_ring_add(struct pgp_ring *ring, const struct pgp_recipient *recipient)
{
    struct entry *entry = &ring->entries[ring->n];
    off_t end;

    if (!has_place(ring, recipient->fingerprint))
        return false;
    end = lseek(ring->fd, 0, SEEK_CUR);
    *entry = (struct entry){.path = strdup(recipient->certificate_path)};
    if (!entry->path || end < 0 || !append_file(ring->fd, recipient->certificate_path)) {
        free(entry->path);
        if (end < 0 || ftruncate(ring->fd, end) != 0 || lseek(ring->fd, end, SEEK_SET) != end)
            abort(); /* on a memory file of our own */
        return false;
    }
    memcpy(entry->fingerprint, recipient->fingerprint, sizeof entry->fingerprint);
    ring->n++;
    return true;
}
