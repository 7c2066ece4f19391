#include "store/catalog_index.h"

#include <stdlib.h>

enum { BUCKET_COUNT_MIN = 64 };

struct catalog_word {
    struct catalog_word *next;
    uint64_t hash;
    struct str word; /* in the service's scope */
    struct catalog_service *service;
};

static uint64_t hash_bytes(struct str bytes)
{
    uint64_t hash = 0x9e3779b97f4a7c15u ^ bytes.len;
    uint64_t part;

    while (bytes.len >= sizeof(part)) {
        memcpy(&part, bytes.at, sizeof(part));
        hash = (hash ^ part) * 0xff51afd7ed558ccdu;
        hash ^= hash >> 32;
        bytes = str_from(bytes, sizeof(part));
    }
    part = 0;
    if (bytes.len > 0)
        memcpy(&part, bytes.at, bytes.len);
    hash = (hash ^ part) * 0xc4ceb9fe1a85ec53u;
    return hash ^ hash >> 29;
}

static uint64_t hash_id(int64_t id)
{
    return (uint64_t)id * 0x9e3779b97f4a7c15u >> 20;
}

/* ---- entries -------------------------------------------------------------------------------- */

/* Copies the text behind the entry's struct and moves on. */
static struct str pack_text(char **at, struct str text)
{
    struct str copy = { *at, text.len };

    if (text.len > 0)
        memcpy(*at, text.at, text.len);
    *at += text.len;
    return copy;
}

static struct catalog_client *new_client(const struct client *client)
{
    size_t bytes = client->client_id.len + client->name.len + client->secret_hash.len +
                   client->scope.len + client->service_ids.len + client->redirect_uris.len +
                   client->metadata.len + client->previous_secret_hash.len +
                   client->registration_digest.len;
    struct catalog_client *entry = calloc(1, sizeof(*entry) + bytes);
    char *at;

    if (entry == NULL)
        return NULL;
    at = (char *)(entry + 1);
    entry->client = *client;
    entry->client.client_id = pack_text(&at, client->client_id);
    entry->client.name = pack_text(&at, client->name);
    entry->client.secret_hash = pack_text(&at, client->secret_hash);
    entry->client.scope = pack_text(&at, client->scope);
    entry->client.service_ids = pack_text(&at, client->service_ids);
    entry->client.redirect_uris = pack_text(&at, client->redirect_uris);
    entry->client.metadata = pack_text(&at, client->metadata);
    entry->client.previous_secret_hash = pack_text(&at, client->previous_secret_hash);
    entry->client.registration_digest = pack_text(&at, client->registration_digest);
    atomic_init(&entry->reference_count, 1);
    return entry;
}

static struct catalog_service *new_service(const struct service *service)
{
    size_t bytes =
        service->service_id.len + service->name.len + service->scope.len + service->secret_hash.len;
    struct catalog_service *entry = calloc(1, sizeof(*entry) + bytes);
    char *at;

    if (entry == NULL)
        return NULL;
    at = (char *)(entry + 1);
    entry->service = *service;
    entry->service.service_id = pack_text(&at, service->service_id);
    entry->service.name = pack_text(&at, service->name);
    entry->service.scope = pack_text(&at, service->scope);
    entry->service.secret_hash = pack_text(&at, service->secret_hash);
    atomic_init(&entry->reference_count, 1);
    return entry;
}

void catalog_client_put(struct catalog_client *client)
{
    if (client != NULL && atomic_fetch_sub(&client->reference_count, 1) == 1) {
        explicit_bzero(&client->memory, sizeof(client->memory));
        explicit_bzero(&client->previous_memory, sizeof(client->previous_memory));
        free(client);
    }
}

void catalog_service_put(struct catalog_service *service)
{
    if (service != NULL && atomic_fetch_sub(&service->reference_count, 1) == 1) {
        explicit_bzero(&service->memory, sizeof(service->memory));
        free(service);
    }
}

static void record_free(struct catalog_record *record)
{
    catalog_client_put(record->client);
    catalog_service_put(record->service);
    free(record);
}

static void keep_memory(struct secret_memory *to, const struct secret_memory *from)
{
    if (atomic_load(&from->state) != 2)
        return;
    memcpy(to->mac, from->mac, sizeof(to->mac));
    atomic_init(&to->state, 2);
}

/* ---- the maps by name and by id ------------------------------------------------------------- */

struct catalog_record *catalog_index_find(const struct catalog_index *index, struct str name)
{
    uint64_t hash = hash_bytes(name);
    struct catalog_record *record = index->by_name[hash & (index->bucket_count - 1)];

    while (record != NULL && (record->name_hash != hash || !str_equal(record->name, name)))
        record = record->next_by_name;
    return record;
}

struct catalog_record *catalog_index_find_by_id(const struct catalog_index *index, int64_t id)
{
    struct catalog_record *record = index->by_id[hash_id(id) & (index->bucket_count - 1)];

    while (record != NULL && record->id != id)
        record = record->next_by_id;
    return record;
}

static void link_record(struct catalog_index *index, struct catalog_record *record)
{
    size_t mask = index->bucket_count - 1;
    struct catalog_record **by_name = &index->by_name[record->name_hash & mask];
    struct catalog_record **by_id = &index->by_id[hash_id(record->id) & mask];

    record->next_by_name = *by_name;
    *by_name = record;
    record->next_by_id = *by_id;
    *by_id = record;
}

void catalog_index_remove(struct catalog_index *index, int64_t id)
{
    struct catalog_record *record = catalog_index_find_by_id(index, id);
    size_t mask = index->bucket_count - 1;
    struct catalog_record **at;

    if (record == NULL)
        return;
    at = &index->by_name[record->name_hash & mask];
    while (*at != record)
        at = &(*at)->next_by_name;
    *at = record->next_by_name;
    at = &index->by_id[hash_id(id) & mask];
    while (*at != record)
        at = &(*at)->next_by_id;
    *at = record->next_by_id;
    record_free(record);
    index->record_count--;
}

static enum rc resize_maps(struct catalog_index *index, size_t bucket_count)
{
    struct catalog_record **by_name = calloc(bucket_count, sizeof(struct catalog_record *));
    struct catalog_record **by_id = calloc(bucket_count, sizeof(struct catalog_record *));
    struct catalog_record **old_by_id = index->by_id;
    size_t old_count = index->bucket_count;
    size_t bucket;

    if (by_name == NULL || by_id == NULL) {
        free(by_name);
        free(by_id);
        return RC_SYSTEM;
    }
    free(index->by_name);
    index->by_name = by_name;
    index->by_id = by_id;
    index->bucket_count = bucket_count;
    for (bucket = 0; bucket < old_count; bucket++) {
        struct catalog_record *record = old_by_id[bucket];

        while (record != NULL) {
            struct catalog_record *next = record->next_by_id;

            link_record(index, record);
            record = next;
        }
    }
    free(old_by_id);
    return RC_OK;
}

/* Takes the record over, also when there is no memory for it. */
static enum rc put_record(struct catalog_index *index, struct catalog_record *record)
{
    enum rc rc = RC_OK;

    if (index->record_count >= index->bucket_count)
        rc = resize_maps(index, 2 * index->bucket_count);
    if (rc != RC_OK) {
        record_free(record);
        return rc;
    }
    catalog_index_remove(index, record->id);
    record->name_hash = hash_bytes(record->name);
    link_record(index, record);
    index->record_count++;
    return RC_OK;
}

enum rc catalog_index_put_client(struct catalog_index *index, const struct client *client,
                                 const struct catalog_index *before)
{
    struct catalog_record *old = catalog_index_find_by_id(before, client->id);
    struct catalog_record *record = calloc(1, sizeof(*record));
    struct catalog_client *entry = new_client(client);

    if (record == NULL || entry == NULL) {
        free(record);
        catalog_client_put(entry);
        return RC_SYSTEM;
    }
    if (old != NULL && old->client != NULL &&
        str_equal(old->client->client.secret_hash, client->secret_hash))
        keep_memory(&entry->memory, &old->client->memory);
    record->id = client->id;
    record->name = entry->client.client_id;
    record->client = entry;
    return put_record(index, record);
}

enum rc catalog_index_put_service(struct catalog_index *index, const struct service *service,
                                  const struct catalog_index *before)
{
    struct catalog_record *old = catalog_index_find_by_id(before, service->id);
    struct catalog_record *record = calloc(1, sizeof(*record));
    struct catalog_service *entry = new_service(service);

    if (record == NULL || entry == NULL) {
        free(record);
        catalog_service_put(entry);
        return RC_SYSTEM;
    }
    if (old != NULL && old->service != NULL &&
        str_equal(old->service->service.secret_hash, service->secret_hash))
        keep_memory(&entry->memory, &old->service->memory);
    record->id = service->id;
    record->name = entry->service.service_id;
    record->service = entry;
    return put_record(index, record);
}

/* ---- scope words ---------------------------------------------------------------------------- */

static void free_words(struct catalog_index *index)
{
    size_t bucket;

    for (bucket = 0; bucket < index->word_bucket_count; bucket++) {
        while (index->words[bucket] != NULL) {
            struct catalog_word *word = index->words[bucket];

            index->words[bucket] = word->next;
            free(word);
        }
    }
    free(index->words);
    free(index->services);
    index->words = NULL;
    index->services = NULL;
    index->word_bucket_count = 0;
    index->service_count = 0;
}

static struct catalog_word *find_word(const struct catalog_index *index, struct str text)
{
    uint64_t hash = hash_bytes(text);
    struct catalog_word *word;

    if (index->word_bucket_count == 0)
        return NULL;
    word = index->words[hash & (index->word_bucket_count - 1)];
    while (word != NULL && (word->hash != hash || !str_equal(word->word, text)))
        word = word->next;
    return word;
}

struct catalog_service *catalog_index_find_owner(const struct catalog_index *index,
                                                 struct str scope_word)
{
    struct catalog_word *word = find_word(index, scope_word);

    return word == NULL ? NULL : word->service;
}

static int compare_services(const void *a, const void *b)
{
    const struct catalog_service *const *left = a;
    const struct catalog_service *const *right = b;

    return ((*left)->service.id > (*right)->service.id) -
           ((*left)->service.id < (*right)->service.id);
}

static void collect_services(struct catalog_index *index)
{
    size_t bucket;

    for (bucket = 0; bucket < index->bucket_count; bucket++) {
        struct catalog_record *record;

        for (record = index->by_id[bucket]; record != NULL; record = record->next_by_id) {
            if (record->service != NULL)
                index->services[index->service_count++] = record->service;
        }
    }
    qsort(index->services, index->service_count, sizeof(struct catalog_service *),
          compare_services);
}

static size_t count_words(const struct catalog_index *index)
{
    size_t count = 0;
    size_t service;

    for (service = 0; service < index->service_count; service++) {
        struct str rest = index->services[service]->service.scope;
        struct str text;

        while (str_next_word(&rest, &text))
            count++;
    }
    return count;
}

static enum rc add_words(struct catalog_index *index, struct catalog_service *service)
{
    struct str rest = service->service.scope;
    struct str text;

    while (str_next_word(&rest, &text)) {
        uint64_t hash = hash_bytes(text);
        struct catalog_word **bucket = &index->words[hash & (index->word_bucket_count - 1)];
        struct catalog_word *word;

        if (find_word(index, text) != NULL)
            continue; /* a word has one owner: the service that was there first */
        word = calloc(1, sizeof(*word));
        if (word == NULL)
            return RC_SYSTEM;
        *word = (struct catalog_word){
            .next = *bucket, .hash = hash, .word = text, .service = service
        };
        *bucket = word;
    }
    return RC_OK;
}

enum rc catalog_index_make_words(struct catalog_index *index)
{
    size_t bucket_count = BUCKET_COUNT_MIN;
    enum rc rc = RC_OK;
    size_t service;

    free_words(index);
    index->services = calloc(index->record_count + 1, sizeof(struct catalog_service *));
    if (index->services == NULL)
        return RC_SYSTEM;
    collect_services(index);
    while (bucket_count < count_words(index))
        bucket_count *= 2;
    index->words = calloc(bucket_count, sizeof(struct catalog_word *));
    if (index->words == NULL)
        return RC_SYSTEM;
    index->word_bucket_count = bucket_count;
    for (service = 0; rc == RC_OK && service < index->service_count; service++)
        rc = add_words(index, index->services[service]);
    return rc;
}

/* ---- the whole ------------------------------------------------------------------------------ */

enum rc catalog_index_init(struct catalog_index *index)
{
    *index = (struct catalog_index){ 0 };
    return resize_maps(index, BUCKET_COUNT_MIN);
}

void catalog_index_deinit(struct catalog_index *index)
{
    size_t bucket;

    free_words(index);
    for (bucket = 0; bucket < index->bucket_count; bucket++) {
        while (index->by_id[bucket] != NULL) {
            struct catalog_record *record = index->by_id[bucket];

            index->by_id[bucket] = record->next_by_id;
            record_free(record);
        }
    }
    free(index->by_name);
    free(index->by_id);
    *index = (struct catalog_index){ 0 };
}
