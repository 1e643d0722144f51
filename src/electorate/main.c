#include "electorate/electorate.h"

int main(int argc, char **argv)
{
    return electorate_main(argc, argv);
}
