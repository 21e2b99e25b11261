// SPDX-License-Identifier: Apache-2.0
#include "random.h"
#include "test.h"

// RFC 8439 2.3.2.
static void the_block_function_gives_the_vector_of_the_standard(void **state)
{
    static const uint8_t nonce[12] = {0, 0, 0, 9, 0, 0, 0, 0x4a, 0, 0, 0, 0};
    static const uint8_t expected[RANDOM_BLOCK_SIZE] = {
        0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f, 0xa3,
        0x20, 0x71, 0xc4, 0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0, 0x68, 0x03, 0x04, 0x22,
        0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e, 0xd2, 0x82, 0x64, 0x46, 0x07, 0x9f, 0xaa,
        0x09, 0x14, 0xc2, 0xd7, 0x05, 0xd9, 0x8b, 0x02, 0xa2, 0xb5, 0x12, 0x9c, 0xd1,
        0xde, 0x16, 0x4e, 0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e,
    };
    uint8_t key[RANDOM_KEY_SIZE];
    uint8_t block[RANDOM_BLOCK_SIZE];

    (void)state;
    for (uint8_t i = 0; i < RANDOM_KEY_SIZE; i++) {
        key[i] = i;
    }
    random_block(key, 1, nonce, block);
    assert_memory_equal(block, expected, sizeof(block));
}

static void no_two_answers_are_alike(void **state)
{
    const uint8_t key[RANDOM_KEY_SIZE] = {1};
    uint8_t answers[64][16];
    Random random;

    (void)state;
    random_init(&random, key);
    for (size_t i = 0; i < COUNT(answers); i++) {
        random_bytes(&random, answers[i], sizeof(answers[i]));
        for (size_t k = 0; k < i; k++) {
            assert_memory_not_equal(answers[i], answers[k], sizeof(answers[i]));
        }
    }
}

static void the_key_is_replaced_by_each_answer(void **state)
{
    const uint8_t key[RANDOM_KEY_SIZE] = {1};
    Random random;
    uint8_t byte;

    (void)state;
    random_init(&random, key);
    assert_memory_equal(random.key, key, sizeof(key));
    random_bytes(&random, &byte, 1);
    assert_memory_not_equal(random.key, key, sizeof(key));
}

static void exactly_the_buffer_is_filled(void **state)
{
    const uint8_t key[RANDOM_KEY_SIZE] = {1};

    (void)state;
    for (size_t size = 0; size < 200; size++) {
        uint8_t *buffer = calloc(size + 1, 1);
        Random random;

        assert_non_null(buffer);
        random_init(&random, key);
        random_bytes(&random, buffer, size);
        assert_int_equal(buffer[size], 0);
        // A tail that was left out would be all zero.
        assert_true(size < 8 || memcmp(buffer + size - 8, "\0\0\0\0\0\0\0", 8) != 0);
        free(buffer);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_block_function_gives_the_vector_of_the_standard),
        cmocka_unit_test(no_two_answers_are_alike),
        cmocka_unit_test(the_key_is_replaced_by_each_answer),
        cmocka_unit_test(exactly_the_buffer_is_filled),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
