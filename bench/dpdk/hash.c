/* rte_hash on the keys of a file: what its insert, hit, miss and delete cost, in nanoseconds of this
 * thread. Usage: palisade-rte-hash EAL... -- FILE KNOWN UNKNOWN ASKED SLOTS
 *
 * The file has KNOWN + UNKNOWN + ASKED keys of 40 bytes. Bursts of 64, as many as rte_hash takes at
 * once; a hit stores a time beside the flow, as ours does.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <rte_eal.h>
#include <rte_hash.h>
#include <rte_hash_crc.h>
#include <rte_malloc.h>

#define KEY 40
#define BURST RTE_HASH_LOOKUP_BULK_MAX

struct seen {
    uint32_t revision, seen_ms, rest[4];
};

static double now_ns(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * 1e9 + time.tv_nsec;
}

static size_t ask(struct rte_hash *hash, struct seen *seen, const uint8_t *keys, size_t count)
{
    size_t found = 0;
    for (size_t at = 0; at < count; at += BURST) {
        const void *burst[BURST];
        int32_t places[BURST];
        uint32_t size = count - at < BURST ? count - at : BURST;
        for (uint32_t i = 0; i < size; i++)
            burst[i] = keys + (at + i) * KEY;
        if (rte_hash_lookup_bulk(hash, burst, size, places) < 0)
            exit(EXIT_FAILURE);
        for (uint32_t i = 0; i < size; i++)
            if (places[i] >= 0 && seen[places[i]].revision == 1) {
                seen[places[i]].seen_ms = 1;
                found++;
            }
    }
    return found;
}

static void fill(struct rte_hash *hash, struct seen *seen, const uint8_t *keys, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int32_t place = rte_hash_add_key(hash, keys + i * KEY);
        if (place < 0) {
            printf("rte_hash differs: no room for flow %zu\n", i);
            exit(EXIT_FAILURE);
        }
        seen[place] = (struct seen){.revision = 1, .seen_ms = 1};
    }
}

static void empty(struct rte_hash *hash, const uint8_t *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        rte_hash_del_key(hash, keys + i * KEY);
}

int main(int argc, char **argv)
{
    int used = rte_eal_init(argc, argv);
    if (used < 0 || argc - used < 6)
        return EXIT_FAILURE;
    argv += used + 1;
    size_t known = atol(argv[1]), unknown = atol(argv[2]), asked = atol(argv[3]);
    size_t slots = atol(argv[4]), all = known + unknown + asked;

    uint8_t *keys = malloc(all * KEY);
    FILE *file = fopen(argv[0], "rb");
    if (!keys || !file || fread(keys, KEY, all, file) != all)
        return EXIT_FAILURE;
    fclose(file);

    struct rte_hash_parameters terms = {
        .name = "flows",
        .entries = slots,
        .key_len = KEY,
        .hash_func = rte_hash_crc,
        .hash_func_init_val = 0x5ec8e7,
    };
    struct rte_hash *hash = rte_hash_create(&terms);
    struct seen *seen = rte_zmalloc("seen", (slots + 1024) * sizeof(*seen), 64);
    if (!hash || !seen) {
        fprintf(stderr, "no memory for %zu flows: more huge pages\n", slots);
        return EXIT_FAILURE;
    }
    /* The first turn meets pages that were never touched. */
    fill(hash, seen, keys, known);
    empty(hash, keys, known);

    double start = now_ns();
    fill(hash, seen, keys, known);
    double filled = now_ns();
    size_t hits = ask(hash, seen, keys + (known + unknown) * KEY, asked);
    double hit = now_ns();
    size_t ghosts = ask(hash, seen, keys + known * KEY, unknown);
    double missed = now_ns();
    empty(hash, keys, known);
    double emptied = now_ns();

    if (hits != asked || ghosts != 0) {
        printf("rte_hash differs: %zu hits of %zu, %zu ghosts\n", hits, asked, ghosts);
        return EXIT_FAILURE;
    }
    printf("insert %.2f\nhit %.2f\nmiss %.2f\nexpire %.2f\n", (filled - start) / known,
           (hit - filled) / asked, (missed - hit) / unknown, (emptied - missed) / known);
    return EXIT_SUCCESS;
}
