/* SPDX-License-Identifier: Apache-2.0 */
/* The program as bytes. An instruction is a head, a number whose bits say which of its fields are
 * not 0, and these, each as long as it has to be. None is told by the one before, so that a
 * controller can begin anywhere. */
#include <string.h>

#include "arch/systolic/systolic_insn.h"
#include "mapper/plan.h"

struct head {
    uint32_t op : 4, unit : 3, on : 3;
    uint32_t array : 6, several : 1; /* the only one, or FIELD_ARRAYS has a bit each */
    uint32_t last_of_chunk : 1, reuse : 1, keep : 1, reuse_weights : 1, keep_weights : 1;
    uint32_t n_byte : 8; /* of all */
};
_Static_assert(N_INSN <= 1 << 4 && N_UNIT <= 1 << 3 && MAX_ARRAY <= 1 << 6, "bits of the head");
_Static_assert(sizeof(struct head) == 4, "no padding");

/* What Sync has comes first: seven fields make a byte of bits. */
enum field {
    FIELD_STEP,
    FIELD_COUNT,
    FIELD_ON_ARRAY,
    FIELD_M0,
    FIELD_M,
    FIELD_N,
    FIELD_N0,
    FIELD_TILE_N,
    FIELD_FIRST,
    FIELD_REPEAT,
    FIELD_GROUP,
    FIELD_K0,
    FIELD_ARRAYS,
    FIELD_MEETING,
    N_FIELD
};
enum { LONGEST_NUMBER = 10, LONGEST_INSN = sizeof(struct head) + LONGEST_NUMBER * (1 + N_FIELD) };
_Static_assert(LONGEST_INSN < 1 << 8, "bits of head.n_byte");

/* And for a number to be read beyond the end. */
static void ensure_room(struct varints *v, size_t n_byte)
{
    enum { FIRST_BYTES = 4096 };
    while (v->n_room < v->n_byte + n_byte + VARINTS_AT_ONCE) {
        v->n_room = MAX(2 * v->n_room, FIRST_BYTES);
        v->bytes = g_realloc(v->bytes, v->n_room);
    }
}

/* Returns where the next one goes. */
static uint8_t *put_number(uint8_t *to, uint64_t number)
{
    for (; number >= 0x80; number >>= 7)
        *to++ = (uint8_t)(number | 0x80);
    *to++ = (uint8_t)number;
    return to;
}

void systolic_varints_append(struct varints *v, uint64_t number)
{
    ensure_room(v, LONGEST_NUMBER);
    v->n_byte = (size_t)(put_number(v->bytes + v->n_byte, number) - v->bytes);
}

static struct head head_at(const struct program *p, size_t at)
{
    struct head head;
    memcpy(&head, p->code.bytes + at, sizeof(head));
    return head;
}

size_t systolic_program_append(struct program *p, const struct insn *in)
{
    struct head head = {.op = in->op,
                        .unit = in->unit,
                        .on = in->on,
                        .several = insn_n_array(in) > 1,
                        .last_of_chunk = in->last_of_chunk,
                        .reuse = in->reuse,
                        .keep = in->keep,
                        .reuse_weights = in->reuse_weights,
                        .keep_weights = in->keep_weights};
    head.array = head.several ? 0 : (uint32_t)insn_array(in) & (MAX_ARRAY - 1);
    const uint64_t fields[N_FIELD] = {
        [FIELD_STEP] = (uint32_t)in->step,
        [FIELD_COUNT] = in->count,
        [FIELD_ON_ARRAY] = (uint64_t)(in->on_array - ALL_ARRAYS),
        [FIELD_M0] = (uint64_t)in->m0,
        [FIELD_M] = (uint64_t)in->m,
        [FIELD_N] = (uint64_t)in->n,
        [FIELD_N0] = (uint64_t)in->n0,
        [FIELD_TILE_N] = (uint32_t)in->tile_n,
        [FIELD_FIRST] = (uint64_t)in->first,
        [FIELD_REPEAT] = in->repeat,
        [FIELD_GROUP] = (uint32_t)in->group,
        [FIELD_K0] = (uint32_t)in->k0,
        [FIELD_ARRAYS] = head.several ? in->arrays : 0,
        [FIELD_MEETING] = head.several ? p->n_meeting++ : 0,
    };
    uint64_t given = 0;
    for (int i = 0; i < N_FIELD; i++)
        given |= (uint64_t)(fields[i] != 0) << i;
    ensure_room(&p->code, LONGEST_INSN);
    const size_t at = p->code.n_byte;
    uint8_t *begin = p->code.bytes + at, *to = put_number(begin + sizeof(head), given);
    for (; given; given &= given - 1)
        to = put_number(to, fields[__builtin_ctzll(given)]);
    head.n_byte = (uint8_t)(to - begin);
    memcpy(begin, &head, sizeof(head));
    p->code.n_byte += head.n_byte;
    return at;
}

static uint64_t one_array(unsigned array)
{
    return UINT64_C(1) << array;
}

static void read_insn(const struct program *p, size_t at, const struct head *head, struct insn *in)
{
    uint64_t fields[N_FIELD] = {0};
    at += sizeof(*head);
    for (uint64_t given = systolic_varints_next(&p->code, &at); given; given &= given - 1)
        fields[__builtin_ctzll(given)] = systolic_varints_next(&p->code, &at);
    *in = (struct insn){
        .op = head->op,
        .unit = head->unit,
        .on = head->on,
        .on_array = (int8_t)((int)fields[FIELD_ON_ARRAY] + ALL_ARRAYS),
        .last_of_chunk = head->last_of_chunk,
        .arrays = head->several ? fields[FIELD_ARRAYS] : one_array(head->array),
        .layer = p->steps[fields[FIELD_STEP]].layer,
        .step = (int32_t)fields[FIELD_STEP],
        .group = (int32_t)fields[FIELD_GROUP],
        .tile_n = (int32_t)fields[FIELD_TILE_N],
        .k0 = (int32_t)fields[FIELD_K0],
        .repeat = (uint32_t)fields[FIELD_REPEAT],
        .reuse = head->reuse,
        .keep = head->keep,
        .reuse_weights = head->reuse_weights,
        .keep_weights = head->keep_weights,
        .meeting = (uint32_t)fields[FIELD_MEETING],
        .m0 = (int64_t)fields[FIELD_M0],
        .m = (int64_t)fields[FIELD_M],
        .n0 = (int64_t)fields[FIELD_N0],
        .n = (int64_t)fields[FIELD_N],
        .first = (int64_t)fields[FIELD_FIRST],
        .count = fields[FIELD_COUNT],
    };
}

bool systolic_program_next(const struct program *p, size_t *at, uint32_t ops, struct insn *in)
{
    while (*at < p->code.n_byte) {
        const struct head head = head_at(p, *at);
        const size_t place = *at;
        *at += head.n_byte;
        if (!(ops >> head.op & 1))
            continue;
        read_insn(p, place, &head, in);
        return true;
    }
    return false;
}

enum opcode systolic_program_op(const struct program *p, size_t at)
{
    return (enum opcode)head_at(p, at).op;
}

enum unit systolic_program_unit(const struct program *p, size_t at)
{
    return (enum unit)head_at(p, at).unit;
}

size_t systolic_program_bytes(const struct program *p, size_t at)
{
    return head_at(p, at).n_byte;
}

uint64_t systolic_program_arrays(const struct program *p, size_t at)
{
    const struct head head = head_at(p, at);
    struct insn in;
    if (!head.several)
        return one_array(head.array);
    read_insn(p, at, &head, &in);
    return in.arrays;
}

void systolic_program_mark(struct program *p, size_t at, enum insn_mark mark)
{
    struct head head = head_at(p, at);
    head.last_of_chunk |= (mark & MARK_LAST_OF_CHUNK) != 0;
    head.keep |= (mark & MARK_KEEP) != 0;
    head.keep_weights |= (mark & MARK_KEEP_WEIGHTS) != 0;
    memcpy(p->code.bytes + at, &head, sizeof(head));
}

/* Each Read_Weights is issued one block early, behind the one before it: the controller issues in
 * order, and would come to it only when the queues have room for all of the block before. With
 * several arrays all those of a deal, which follow one another, one deal early. What another layer
 * makes is read in its place, behind what it waits for. */
void systolic_program_read_ahead(struct program *p)
{
    uint8_t *code = p->code.bytes;
    size_t block = 0; /* where what is to come behind the next Read_Weights begins */
    bool is_first = true, was_read = false;
    for (size_t from = 0, n_byte; from < p->code.n_byte; from += n_byte) {
        const struct head head = head_at(p, from);
        const bool is_read = head.unit == UNIT_WEIGHTS;
        n_byte = head.n_byte;
        if (is_read ? is_first || head.op == INSN_SYNC_WAIT : was_read)
            block = from;
        is_first &= !is_read;
        was_read = is_read;
        if (!is_read)
            continue;
        uint8_t read[LONGEST_INSN];
        memcpy(read, code + from, n_byte);
        memmove(code + block + n_byte, code + block, from - block);
        memcpy(code + block, read, n_byte);
        block += n_byte;
    }
}
