/* usps.c: codes for the states of files that do not give any. */
#include <string.h>

#include "election/definition_internal.h"

/* clang-format off */
static const struct {
    char code[3];
    const char *key;
} usps[] = {
    {"AL", "alabama"}, {"AK", "alaska"}, {"AZ", "arizona"}, {"AR", "arkansas"}, {"CA", "california"},
    {"CO", "colorado"}, {"CT", "connecticut"}, {"DE", "delaware"}, {"DC", "district_of_columbia"},
    {"FL", "florida"}, {"GA", "georgia"}, {"HI", "hawaii"}, {"ID", "idaho"}, {"IL", "illinois"},
    {"IN", "indiana"}, {"IA", "iowa"}, {"KS", "kansas"}, {"KY", "kentucky"}, {"LA", "louisiana"},
    {"ME", "maine"}, {"MD", "maryland"}, {"MA", "massachusetts"}, {"MI", "michigan"},
    {"MN", "minnesota"}, {"MS", "mississippi"}, {"MO", "missouri"}, {"MT", "montana"},
    {"NE", "nebraska"}, {"NV", "nevada"}, {"NH", "new_hampshire"}, {"NJ", "new_jersey"},
    {"NM", "new_mexico"}, {"NY", "new_york"}, {"NC", "north_carolina"}, {"ND", "north_dakota"},
    {"OH", "ohio"}, {"OK", "oklahoma"}, {"OR", "oregon"}, {"PA", "pennsylvania"},
    {"RI", "rhode_island"}, {"SC", "south_carolina"}, {"SD", "south_dakota"}, {"TN", "tennessee"},
    {"TX", "texas"}, {"UT", "utah"}, {"VT", "vermont"}, {"VA", "virginia"}, {"WA", "washington"},
    {"WV", "west_virginia"}, {"WI", "wisconsin"}, {"WY", "wyoming"},
};
/* clang-format on */

const char *usps_code(struct slice key)
{
    for (size_t i = 0; i < sizeof usps / sizeof *usps; i++) {
        struct state_names names = {usps[i].code, usps[i].key, NULL};
        if (state_is_called(&names, key))
            return usps[i].code;
    }
    return NULL;
}
