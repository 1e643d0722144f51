/* zoo.cfg with any content: every complaint names its line and says what is allowed; a
 * configuration without complaint holds only values in their range. */
#include "fuzz.h"
#include "server/config.h"

struct notes {
    int wrong;
};

static void note(void *arg, const struct config_note *n)
{
    struct notes *notes = arg;
    notes->wrong += n->severity == CONFIG_WRONG;
    FUZZ_CHECK(n->text != NULL && n->text[0] != 0, "a note says something");
    FUZZ_CHECK(n->key != NULL && n->value != NULL && n->line >= 0, "and of what");
}

static void check_values(const struct config *c)
{
    for (int i = 0; i < CONFIG_KEY_COUNT; i++) {
        const struct config_key *key = config_key((enum config_id)i);
        const struct config_value *v = &c->values[i];
        FUZZ_CHECK(v->text != NULL, "every key has a text");
        bool has_number = key->type == CONFIG_TYPE_INT && v->text[0] != 0;
        if (v->given && has_number)
            FUZZ_CHECK(v->integer >= key->min && v->integer <= key->max, "within its range");
    }
    FUZZ_CHECK(c->ensemble == NULL || c->ensemble->voter_count > 0, "an ensemble has voters");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct notes notes = {0};
    struct config c;
    config_init(&c, note, &notes);
    int rc = config_read_text(&c, "zoo.cfg", slice_of(data, size));
    /* No other file may have a say. */
    config_override(&c, "dataDir", "/nowhere");
    config_override(&c, "dynamicConfigFile", "");
    int finished = config_finish(&c);
    FUZZ_CHECK(rc == 0 || notes.wrong > 0, "no text is refused in silence");
    FUZZ_CHECK((finished == 0) == (c.wrong_count == 0), "refused when anything was wrong");
    FUZZ_CHECK(notes.wrong == c.wrong_count, "everything that is wrong is told");
    if (finished == 0)
        check_values(&c);
    config_deinit(&c);
    return 0;
}
