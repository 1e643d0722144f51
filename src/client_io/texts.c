/* texts.c: numbers by name. */
#include "caucus/caucus.h"

const char *caucus_error_name(int rc)
{
    switch (rc) {
#define ERROR_NAME(name, number, text)                                                             \
    case name:                                                                                     \
        return #name;
        CAUCUS_ERROR_MAP(ERROR_NAME)
    default:
        return "unknown";
    }
}

const char *caucus_error_text(int rc)
{
    switch (rc) {
#define ERROR_TEXT(name, number, text)                                                             \
    case name:                                                                                     \
        return text;
        CAUCUS_ERROR_MAP(ERROR_TEXT)
    default:
        return "unknown error";
    }
}

const char *caucus_state_name(enum caucus_state state)
{
    switch (state) {
    case CAUCUS_CONNECTING:
        return "CONNECTING";
    case CAUCUS_CONNECTED:
        return "CONNECTED";
    case CAUCUS_SUSPENDED:
        return "SUSPENDED";
    case CAUCUS_RECONNECTED:
        return "RECONNECTED";
    case CAUCUS_LOST:
        return "LOST";
    case CAUCUS_READ_ONLY:
        return "READ_ONLY";
    case CAUCUS_AUTH_FAILED:
        return "AUTH_FAILED";
    case CAUCUS_CLOSED:
        return "CLOSED";
    }
    return "unknown";
}

const char *caucus_event_name(enum caucus_event_type type)
{
    switch (type) {
    case CAUCUS_NODE_CREATED:
        return "NODE_CREATED";
    case CAUCUS_NODE_DELETED:
        return "NODE_DELETED";
    case CAUCUS_NODE_DATA_CHANGED:
        return "NODE_DATA_CHANGED";
    case CAUCUS_NODE_CHILDREN_CHANGED:
        return "NODE_CHILDREN_CHANGED";
    case CAUCUS_WATCH_REMOVED:
        return "WATCH_REMOVED";
    case CAUCUS_WATCH_LOST:
        return "WATCH_LOST";
    case CAUCUS_WATCH_REARMED:
        return "WATCH_REARMED";
    }
    return "unknown";
}

const char *caucus_version(void)
{
    return CAUCUS_VERSION;
}
