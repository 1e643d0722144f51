#include "tls/subject.h"

#include <openssl/err.h>
#include <openssl/objects.h>
#include <string.h>

/* The types that RFC 2253 has words for; others are numbers, with their values as they are encoded.
 */
static const char *word_of(const ASN1_OBJECT *type)
{
    switch (OBJ_obj2nid(type)) {
    case NID_commonName:
        return "CN";
    case NID_localityName:
        return "L";
    case NID_stateOrProvinceName:
        return "ST";
    case NID_organizationName:
        return "O";
    case NID_organizationalUnitName:
        return "OU";
    case NID_countryName:
        return "C";
    case NID_streetAddress:
        return "STREET";
    case NID_domainComponent:
        return "DC";
    case NID_userId:
        return "UID";
    default:
        return NULL;
    }
}

static bool is_text(const ASN1_STRING *value)
{
    switch (ASN1_STRING_type(value)) {
    case V_ASN1_UTF8STRING:
    case V_ASN1_PRINTABLESTRING:
    case V_ASN1_IA5STRING:
    case V_ASN1_T61STRING:
    case V_ASN1_GENERALSTRING:
    case V_ASN1_BMPSTRING:
    case V_ASN1_UNIVERSALSTRING:
        return true;
    default:
        return false;
    }
}

static void put_text(struct buf *out, const char *text)
{
    buf_put(out, text, strlen(text));
}

static void put_type(const ASN1_OBJECT *type, struct buf *out)
{
    char number[128];
    const char *word = word_of(type);
    if (word == NULL) {
        OBJ_obj2txt(number, sizeof number, type, 1);
        word = number;
    }
    put_text(out, word);
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\r';
}

static void put_escaped(struct buf *out, const uint8_t *text, size_t len)
{
    size_t lead = 0, end = len;
    while (lead < len && is_blank(text[lead]))
        lead++;
    while (end > lead && is_blank(text[end - 1]))
        end--;
    for (size_t i = 0; i < len; i++) {
        if (text[i] == 0) {
            put_text(out, "\\00");
            continue;
        }
        if (i < lead || i >= end || strchr(",=+<>#;\"\\", text[i]) != NULL)
            buf_put_u8(out, '\\');
        buf_put_u8(out, text[i]);
    }
}

static void put_encoded(struct buf *out, const ASN1_STRING *value)
{
    static const char digits[] = "0123456789abcdef";
    ASN1_TYPE any = {.type = ASN1_STRING_type(value)};
    any.value.asn1_string = (ASN1_STRING *)(uintptr_t)value;
    uint8_t *der = NULL;
    int len = i2d_ASN1_TYPE(&any, &der);
    buf_put_u8(out, '#');
    for (int i = 0; i < len; i++) {
        buf_put_u8(out, (uint8_t)digits[der[i] >> 4]);
        buf_put_u8(out, (uint8_t)digits[der[i] & 15]);
    }
    OPENSSL_free(der);
}

static void put_value(struct buf *out, const ASN1_STRING *value, bool as_text)
{
    uint8_t *text = NULL;
    int len = as_text && is_text(value) ? ASN1_STRING_to_UTF8(&text, value) : -1;
    if (len >= 0)
        put_escaped(out, text, (size_t)len);
    else
        put_encoded(out, value);
    OPENSSL_free(text);
    ERR_clear_error();
}

static void put_entry(struct buf *out, const X509_NAME_ENTRY *e)
{
    const ASN1_OBJECT *type = X509_NAME_ENTRY_get_object(e);
    put_type(type, out);
    buf_put_u8(out, '=');
    put_value(out, X509_NAME_ENTRY_get_data(e), word_of(type) != NULL);
}

/* The last name first; those that stand together as one keep their order. */
void subject_print(const X509_NAME *name, struct buf *out)
{
    int end = X509_NAME_entry_count(name);
    while (end > 0) {
        int set = X509_NAME_ENTRY_set(X509_NAME_get_entry(name, end - 1));
        int begin = end - 1;
        while (begin > 0 && X509_NAME_ENTRY_set(X509_NAME_get_entry(name, begin - 1)) == set)
            begin--;
        for (int i = begin; i < end; i++) {
            put_entry(out, X509_NAME_get_entry(name, i));
            if (i + 1 < end)
                buf_put_u8(out, '+');
        }
        if (begin > 0)
            buf_put_u8(out, ',');
        end = begin;
    }
}
