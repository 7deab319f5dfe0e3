/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes as settings, so that ranges, defaults and unknown names are an operator's own table's
 * to judge. */
#include <string.h>

#include "sim/base/error.h"
#include "workloads/onnx/import.h"

void onnx_attrs_init(struct onnx_attrs *a)
{
    config_init(&a->doc);
    a->root = config_root_setting(&a->doc);
}

void onnx_attrs_clear(struct onnx_attrs *a)
{
    config_destroy(&a->doc);
}

void onnx_attrs_drop(struct onnx_attrs *a, const char *name)
{
    config_setting_remove(a->root, name);
}

static config_setting_t *add(struct onnx_attrs *a, const char *name, int type)
{
    onnx_attrs_drop(a, name);
    config_setting_t *s = config_setting_add(a->root, name, type);
    g_assert(s); /* the names are those of our tables */
    return s;
}

void onnx_attrs_int(struct onnx_attrs *a, const char *name, int64_t value)
{
    config_setting_set_int64(add(a, name, CONFIG_TYPE_INT64), value);
}

void onnx_attrs_float(struct onnx_attrs *a, const char *name, double value)
{
    config_setting_set_float(add(a, name, CONFIG_TYPE_FLOAT), value);
}

void onnx_attrs_bool(struct onnx_attrs *a, const char *name, bool value)
{
    config_setting_set_bool(add(a, name, CONFIG_TYPE_BOOL), value);
}

void onnx_attrs_string(struct onnx_attrs *a, const char *name, const char *value)
{
    config_setting_set_string(add(a, name, CONFIG_TYPE_STRING), value);
}

void onnx_attrs_ints(struct onnx_attrs *a, const char *name, const int64_t *v, size_t n)
{
    if (n == 0)
        return onnx_attrs_drop(a, name);
    config_setting_t *list = add(a, name, CONFIG_TYPE_ARRAY);
    for (size_t i = 0; i < n; i++)
        config_setting_set_int64_elem(list, -1, v[i]);
}

const Onnx__AttributeProto *onnx_attr(const struct onnx_node *n, const char *name)
{
    for (size_t i = 0; i < n->p->n_attribute; i++)
        if (g_strcmp0(n->p->attribute[i]->name, name) == 0)
            return n->p->attribute[i];
    return NULL;
}

int64_t onnx_attr_int(const struct onnx_node *n, const char *name, int64_t absent)
{
    const Onnx__AttributeProto *p = onnx_attr(n, name);
    return p && p->has_i ? p->i : absent;
}

/* Our name for theirs by the row: in `buffer`; "" where it changes nothing. */
static const char *our_name(const struct onnx_op *row, const char *theirs, char *buffer,
                            size_t size, bool *is_format)
{
    *is_format = false;
    g_strlcpy(buffer, theirs, size);
    g_auto(GStrv) pairs = g_strsplit(row->attrs ? row->attrs : "", " ", -1);
    size_t n = strlen(theirs);
    for (char **p = pairs; *p; p++) {
        if ((*p)[0] == '-' && strcmp(*p + 1, theirs) == 0)
            return "";
        if (strncmp(*p, theirs, n) != 0 || (*p)[n] != '=')
            continue;
        *is_format = (*p)[n + 1] == '%';
        g_strlcpy(buffer, *p + n + 1 + *is_format, size);
    }
    return buffer;
}

static config_setting_t *list_of(struct onnx_attrs *a, const char *name, size_t n)
{
    return n ? add(a, name, CONFIG_TYPE_ARRAY) : NULL;
}

static char *text_of(const ProtobufCBinaryData *s)
{
    return s->data ? g_strndup((const char *)s->data, s->len) : g_strdup("");
}

/* One attribute; false where its type has no counterpart. */
static bool take(struct onnx_attrs *a, const Onnx__AttributeProto *p, const char *name)
{
    config_setting_t *list;
    switch (p->type) {
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INT:
        onnx_attrs_int(a, name, p->i);
        return true;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOAT:
        onnx_attrs_float(a, name, (double)p->f);
        return true;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRING: {
        g_autofree char *text = text_of(&p->s);
        onnx_attrs_string(a, name, text);
        return true;
    }
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__INTS:
        onnx_attrs_ints(a, name, p->ints, p->n_ints);
        return true;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__FLOATS:
        list = list_of(a, name, p->n_floats);
        for (size_t i = 0; i < p->n_floats; i++)
            config_setting_set_float_elem(list, -1, (double)p->floats[i]);
        return true;
    case ONNX__ATTRIBUTE_PROTO__ATTRIBUTE_TYPE__STRINGS:
        list = list_of(a, name, p->n_strings);
        for (size_t i = 0; i < p->n_strings; i++) {
            g_autofree char *text = text_of(&p->strings[i]);
            config_setting_set_string_elem(list, -1, text);
        }
        return true;
    default:
        return false;
    }
}

bool onnx_attrs_take(struct onnx_attrs *a, const struct onnx_node *n, const struct onnx_op *row,
                     GError **error)
{
    for (size_t i = 0; i < n->p->n_attribute; i++) {
        const Onnx__AttributeProto *p = n->p->attribute[i];
        char buffer[64];
        bool is_format;
        if (!p->name || strlen(p->name) >= sizeof(buffer) || p->name[0] == '\0' ||
            strspn(p->name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") !=
                strlen(p->name) ||
            !g_ascii_isalpha(p->name[0]))
            return onnx_refuse(n, error, "an attribute's name is bad");
        const char *name = our_name(row, p->name, buffer, sizeof(buffer), &is_format);
        enum number format;
        if (name[0] == '\0')
            continue;
        if (is_format) {
            if (p->i < 0 || p->i > INT32_MAX || !onnx_number((int32_t)p->i, &format))
                return onnx_refuse(n, error, "data type %" G_GINT64_FORMAT, p->i);
            onnx_attrs_string(a, name, number_names[format]);
        } else if (!take(a, p, name)) {
            return onnx_refuse(n, error, "attribute '%s'", p->name);
        }
    }
    return true;
}
