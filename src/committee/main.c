#include "committee/committee.h"

int main(int argc, char **argv)
{
    return committee_main(argc, argv);
}
