/*
 * crypto/block.h: one AES-256 block under a kept key: the cipher of token handles.
 *
 * A handle is a single block whose plaintext never repeats (it holds the token's id), so plain ECB
 * of one block is a pseudo-random permutation of ids and needs no mode. Usable from any thread; a
 * thread that used a key keeps its schedule, also when the key is freed, until newer keys push it
 * out or the thread ends.
 */
#ifndef JETON_CRYPTO_BLOCK_H
#define JETON_CRYPTO_BLOCK_H

enum { BLOCK_BYTES = 16, BLOCK_KEY_BYTES = 32 };

struct block_key;

struct block_key *block_key_new(const unsigned char key[static BLOCK_KEY_BYTES]);
void block_key_free(struct block_key *key);

void block_encrypt(const struct block_key *key, const unsigned char in[static BLOCK_BYTES],
                   unsigned char out_block[static BLOCK_BYTES]);
void block_decrypt(const struct block_key *key, const unsigned char in[static BLOCK_BYTES],
                   unsigned char out_block[static BLOCK_BYTES]);

#endif
