// SPDX-License-Identifier: Apache-2.0
/* Regions of an address space: what should be mapped where. The tables are walker.c's. */
#include <axvm/addrspace.h>

#include "vm_internal.h"
#include "walker.h"

#include <string.h>

// ---- ranges ----

static uint64_t end_of(const AxRegion *region)
{
    return region->base.value + region->size;
}

static uint64_t limit_of(const AxAddrSpace *as)
{
    return UINT64_C(1) << as->root.gpa_bits;
}

static AxError check_range(const AxAddrSpace *as, GuestPhysAddr gpa, uint64_t size)
{
    if (size == 0) {
        return AX_EINVAL;
    }
    if ((gpa.value | size) % AX_PAGE_SIZE != 0) {
        return AX_EALIGN;
    }
    return gpa.value < limit_of(as) && size <= limit_of(as) - gpa.value ? AX_OK : AX_ERANGE;
}

static bool flags_are_valid(MappingFlags flags)
{
    return (flags & ~AX_MAP_ALL) == 0 && (flags & AX_MAP_READ) != 0;
}

static AxOwner owner_of(const AxRegion *region)
{
    return region->kind == AX_REGION_LINEAR ? AX_OWNER_LENT : AX_OWNER_SELF;
}

// ---- the sorted array ----

// Index of the first region that ends above `addr`.
static uint32_t first_above(const AxAddrSpace *as, uint64_t addr)
{
    uint32_t low = 0;
    uint32_t high = as->region_count;

    while (low < high) {
        const uint32_t middle = low + (high - low) / 2;

        if (end_of(&as->regions[middle]) <= addr) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static const AxRegion *region_at(const AxAddrSpace *as, GuestPhysAddr gpa)
{
    const uint32_t at = first_above(as, gpa.value);

    return at < as->region_count && as->regions[at].base.value <= gpa.value ? &as->regions[at]
                                                                            : NULL;
}

static bool overlaps(const AxAddrSpace *as, GuestPhysAddr gpa, uint64_t size)
{
    const uint32_t at = first_above(as, gpa.value);

    return at < as->region_count && as->regions[at].base.value < gpa.value + size;
}

static bool covers(const AxAddrSpace *as, GuestPhysAddr gpa, uint64_t size)
{
    uint64_t at = gpa.value;

    for (uint64_t left = size; left > 0;) {
        const AxRegion *region = region_at(as, ax_gpa(at));

        if (region == NULL) {
            return false;
        }
        if (left <= end_of(region) - at) {
            return true;
        }
        left -= end_of(region) - at;
        at = end_of(region);
    }
    return true;
}

static void insert(AxAddrSpace *as, uint32_t at, AxRegion region)
{
    memmove(&as->regions[at + 1], &as->regions[at], (as->region_count - at) * sizeof(region));
    as->regions[at] = region;
    as->region_count++;
}

static void erase(AxAddrSpace *as, uint32_t first, uint32_t count)
{
    as->region_count -= count;
    memmove(&as->regions[first], &as->regions[first + count],
            (as->region_count - first) * sizeof(as->regions[0]));
}

static bool is_cut_by(const AxAddrSpace *as, uint64_t addr)
{
    const AxRegion *region = region_at(as, ax_gpa(addr));

    return region != NULL && region->base.value != addr;
}

// Makes `addr` the start of a region when it is the middle of one.
static void cut(AxAddrSpace *as, uint64_t addr)
{
    const uint32_t at = first_above(as, addr);

    if (!is_cut_by(as, addr)) {
        return;
    }

    AxRegion upper = as->regions[at];
    const uint64_t lower_size = addr - upper.base.value;

    as->regions[at].size = lower_size;
    upper.base.value = addr;
    upper.host.value += upper.kind == AX_REGION_LINEAR ? lower_size : 0;
    upper.size -= lower_size;
    insert(as, at + 1, upper);
}

static bool continues(const AxRegion *low, const AxRegion *high)
{
    return end_of(low) == high->base.value && low->kind == high->kind &&
           low->flags == high->flags &&
           (low->kind != AX_REGION_LINEAR || low->host.value + low->size == high->host.value);
}

// Joins the regions at `at` - 1 and `at` when they are one again.
static void join(AxAddrSpace *as, uint32_t at)
{
    if (at == 0 || at >= as->region_count || !continues(&as->regions[at - 1], &as->regions[at])) {
        return;
    }
    as->regions[at - 1].size += as->regions[at].size;
    erase(as, at, 1);
}

// ---- life ----

static AxError alloc_root(AxAddrSpace *as)
{
    const AxVCpuHal *hal = as->hal;
    const AxError error = hal->alloc_frames(hal->ctx, as->root_frames,
                                            as->root_frames * AX_PAGE_SIZE, &as->root.base);

    as->table_frames = error == AX_OK ? as->root_frames : 0;
    return error;
}

AxError axvm_addrspace_init(AxAddrSpace *as, const AxVCpuHal *hal, const AxEptFormat *format,
                            uint8_t gpa_bits)
{
    if (as == NULL || format == NULL || axvcpu_hal_check(hal) != AX_OK) {
        return AX_EINVAL;
    }
    memset(as, 0, sizeof(*as));
    as->hal = hal;
    as->format = format;
    as->root.gpa_bits = gpa_bits;

    const AxError error = format->root_shape(gpa_bits, &as->root.levels, &as->root_frames);

    return error == AX_OK ? alloc_root(as) : error;
}

void axvm_addrspace_destroy(AxAddrSpace *as)
{
    ax_lock(&as->lock);
    as->format->flush(&as->root, ax_gpa(0), 0);
    for (uint32_t i = 0; i < as->region_count; i++) {
        const AxRegion *region = &as->regions[i];

        axvm_walker_clear_idle(as, region->base, region->size, owner_of(region));
    }
    as->region_count = 0;
    as->hal->dealloc_frames(as->hal->ctx, as->root.base, as->root_frames);
    as->table_frames -= as->root_frames;
    ax_unlock(&as->lock);
}

// ---- mapping ----

static AxError check_new(const AxAddrSpace *as, GuestPhysAddr gpa, uint64_t size,
                         MappingFlags flags)
{
    const AxError error = check_range(as, gpa, size);

    if (error != AX_OK) {
        return error;
    }
    if (!flags_are_valid(flags)) {
        return AX_EINVAL;
    }
    if (overlaps(as, gpa, size)) {
        return AX_EOVERLAP;
    }
    return as->region_count == AX_REGIONS_MAX ? AX_ENOSPC : AX_OK;
}

static AxError fill(AxAddrSpace *as, const AxRegion *region)
{
    switch (region->kind) {
    case AX_REGION_LINEAR:
        return axvm_walker_map(as, region->base, region->host, region->size, region->flags);
    case AX_REGION_POPULATED:
        return axvm_walker_populate(as, region->base, region->size, region->flags);
    case AX_REGION_ON_DEMAND: break;
    }
    return AX_OK;
}

static AxError add_region(AxAddrSpace *as, const AxRegion *region)
{
    AxError error = check_new(as, region->base, region->size, region->flags);

    if (error != AX_OK) {
        return error;
    }
    error = fill(as, region);
    if (error != AX_OK) {
        axvm_walker_clear(as, region->base, region->size, owner_of(region));
        return error;
    }
    insert(as, first_above(as, region->base.value), *region);
    return AX_OK;
}

AxError axvm_map_linear(AxAddrSpace *as, GuestPhysAddr gpa, HostPhysAddr hpa, uint64_t size,
                        MappingFlags flags)
{
    const AxRegion region = {
        .base = gpa, .size = size, .host = hpa, .flags = flags, .kind = AX_REGION_LINEAR};
    AxError error;

    if (hpa.value % AX_PAGE_SIZE != 0) {
        return AX_EALIGN;
    }
    if (size != 0 && hpa.value + (size - 1) < hpa.value) {
        return AX_ERANGE;
    }
    ax_lock(&as->lock);
    error = add_region(as, &region);
    ax_unlock(&as->lock);
    return error;
}

AxError axvm_map_ram(AxAddrSpace *as, GuestPhysAddr gpa, uint64_t size, MappingFlags flags,
                     bool populate)
{
    const AxRegion region = {.base = gpa,
                             .size = size,
                             .flags = flags,
                             .kind = populate ? AX_REGION_POPULATED : AX_REGION_ON_DEMAND};
    AxError error;

    ax_lock(&as->lock);
    error = add_region(as, &region);
    ax_unlock(&as->lock);
    return error;
}

// ---- changing ----

static AxError split_at(AxAddrSpace *as, uint64_t addr)
{
    return is_cut_by(as, addr)
               ? axvm_walker_split(as, ax_gpa(addr), owner_of(region_at(as, ax_gpa(addr))))
               : AX_OK;
}

// Checks [gpa, gpa + size) and makes its ends those of pages. Translations stay what they are.
static AxError prepare_change(AxAddrSpace *as, GuestPhysAddr gpa, uint64_t size)
{
    const uint64_t end = gpa.value + size;
    AxError error = check_range(as, gpa, size);

    if (error != AX_OK) {
        return error;
    }
    if (!covers(as, gpa, size)) {
        return AX_EFAULT;
    }
    if (as->region_count + is_cut_by(as, gpa.value) + is_cut_by(as, end) > AX_REGIONS_MAX) {
        return AX_ENOSPC;
    }
    error = split_at(as, gpa.value);
    return error == AX_OK ? split_at(as, end) : error;
}

// Makes the range whole regions; returns their number.
static uint32_t isolate(AxAddrSpace *as, GuestPhysAddr gpa, uint64_t size, uint32_t *first)
{
    cut(as, gpa.value);
    cut(as, gpa.value + size);
    *first = first_above(as, gpa.value);
    return first_above(as, gpa.value + size) - *first;
}

static void clear_regions(AxAddrSpace *as, GuestPhysAddr gpa, uint64_t size)
{
    uint32_t first;
    const uint32_t count = isolate(as, gpa, size, &first);

    for (uint32_t i = first; i < first + count; i++) {
        const AxRegion *region = &as->regions[i];

        axvm_walker_clear(as, region->base, region->size, owner_of(region));
    }
    erase(as, first, count);
}

AxError axvm_unmap(AxAddrSpace *as, GuestPhysAddr gpa, uint64_t size)
{
    AxError error;

    ax_lock(&as->lock);
    error = prepare_change(as, gpa, size);
    if (error == AX_OK) {
        clear_regions(as, gpa, size);
    }
    ax_unlock(&as->lock);
    return error;
}

static void protect_regions(AxAddrSpace *as, GuestPhysAddr gpa, uint64_t size, MappingFlags flags)
{
    uint32_t first;
    const uint32_t count = isolate(as, gpa, size, &first);

    axvm_walker_protect(as, gpa, size, flags);
    for (uint32_t i = first; i < first + count; i++) {
        as->regions[i].flags = flags;
    }
    for (uint32_t i = first + count + 1; i > first; i--) {
        join(as, i - 1);
    }
}

AxError axvm_protect(AxAddrSpace *as, GuestPhysAddr gpa, uint64_t size, MappingFlags flags)
{
    AxError error;

    if (!flags_are_valid(flags)) {
        return AX_EINVAL;
    }
    ax_lock(&as->lock);
    error = prepare_change(as, gpa, size);
    if (error == AX_OK) {
        protect_regions(as, gpa, size, flags);
    }
    ax_unlock(&as->lock);
    return error;
}

// ---- looking ----

static bool lacks(MappingFlags flags, MappingFlags access)
{
    return (access & AX_MAP_RIGHTS & ~flags) != 0;
}

static AxError translate(const AxAddrSpace *as, GuestPhysAddr gpa, MappingFlags access,
                         HostPhysAddr *hpa, uint64_t *run)
{
    AxWalk walk;

    if (gpa.value >= limit_of(as)) {
        return AX_EFAULT;
    }
    axvm_walk(as, gpa, &walk);
    if (walk.kind != AX_EPT_LEAF) {
        return AX_EFAULT;
    }

    const uint64_t leaf = axvm_walk_value(&walk);
    const uint64_t offset = gpa.value % axvm_level_size(walk.level);

    if (lacks(as->format->flags(leaf), access)) {
        return AX_EPERM;
    }
    *hpa = ax_hpa(as->format->address(leaf, walk.level).value + offset);
    if (run != NULL) {
        *run = axvm_level_size(walk.level) - offset;
    }
    return AX_OK;
}

AxError axvm_translate(AxAddrSpace *as, GuestPhysAddr gpa, MappingFlags access, HostPhysAddr *hpa,
                       uint64_t *run)
{
    AxError error;

    ax_lock(&as->lock);
    error = translate(as, gpa, access, hpa, run);
    ax_unlock(&as->lock);
    return error;
}

bool axvm_in_region(AxAddrSpace *as, GuestPhysAddr gpa, uint64_t size)
{
    bool inside;

    ax_lock(&as->lock);
    inside = covers(as, gpa, size);
    ax_unlock(&as->lock);
    return inside;
}

// ---- on demand ----

static bool has_page(const AxAddrSpace *as, GuestPhysAddr page)
{
    AxWalk walk;

    axvm_walk(as, page, &walk);
    return walk.kind == AX_EPT_LEAF;
}

// Only pages of ON_DEMAND regions can be missing: the others are filled when they are made.
static AxError ensure_page(AxAddrSpace *as, const AxRegion *region, GuestPhysAddr page)
{
    AxError error;

    if (has_page(as, page)) {
        return AX_OK;
    }
    error = axvm_walker_populate(as, page, AX_PAGE_SIZE, region->flags);
    if (error != AX_OK) {
        axvm_walker_clear(as, page, AX_PAGE_SIZE, AX_OWNER_SELF);
    }
    return error;
}

static GuestPhysAddr page_of(GuestPhysAddr gpa)
{
    return ax_gpa(gpa.value & ~(AX_PAGE_SIZE - 1));
}

static AxError handle_fault(AxAddrSpace *as, GuestPhysAddr gpa, MappingFlags access)
{
    const AxRegion *region = region_at(as, gpa);

    if (region == NULL) {
        return AX_ENOENT;
    }
    if (lacks(region->flags, access)) {
        return AX_EPERM;
    }
    if (has_page(as, page_of(gpa))) {
        // This pCPU may have cached the entry as it was before.
        as->format->publish();
        return AX_OK;
    }
    return ensure_page(as, region, page_of(gpa));
}

AxError axvm_handle_fault(AxAddrSpace *as, GuestPhysAddr gpa, MappingFlags access)
{
    AxError error;

    ax_lock(&as->lock);
    error = handle_fault(as, gpa, access);
    ax_unlock(&as->lock);
    return error;
}

// ---- copying ----

// Bytes that are moved under one hold of the lock.
#define COPY_STEP UINT64_C(0x10000)

typedef void (*Mover)(const AxAddrSpace *as, uint8_t *guest, uint8_t *host, uint64_t size);

static void move_to_guest(const AxAddrSpace *as, uint8_t *guest, uint8_t *host, uint64_t size)
{
    memcpy(guest, host, size);
    as->format->sync(guest, size);
}

static void move_from_guest(const AxAddrSpace *as, uint8_t *guest, uint8_t *host, uint64_t size)
{
    (void)as;
    memcpy(host, guest, size);
}

// Host memory of up to `left` bytes at `gpa`, allocated if need be.
static AxError window(AxAddrSpace *as, GuestPhysAddr gpa, uint64_t left, HostPhysAddr *hpa,
                      uint64_t *size)
{
    const AxRegion *region = region_at(as, gpa);
    AxError error;

    if (region == NULL || (region->flags & AX_MAP_DEVICE) != 0) {
        return AX_EFAULT;
    }
    error = ensure_page(as, region, page_of(gpa));
    if (error != AX_OK) {
        return error;
    }
    error = translate(as, gpa, 0, hpa, size);
    if (*size > left) {
        *size = left;
    }
    if (*size > COPY_STEP) {
        *size = COPY_STEP;
    }
    return error;
}

// One step of a copy; without a mover it only allocates.
static AxError copy_step(AxAddrSpace *as, GuestPhysAddr gpa, uint8_t *host, uint64_t *size,
                         Mover mover)
{
    HostPhysAddr hpa;
    AxError error;

    ax_lock(&as->lock);
    error = window(as, gpa, *size, &hpa, size);
    if (error == AX_OK && mover != NULL) {
        mover(as, axvm_host_pointer(as, hpa), host, *size);
    }
    ax_unlock(&as->lock);
    return error;
}

static AxError copy_pass(AxAddrSpace *as, GuestPhysAddr gpa, uint8_t *host, uint64_t size,
                         Mover mover)
{
    for (uint64_t done = 0; done < size;) {
        uint64_t step = size - done;
        const AxError error = copy_step(as, ax_gpa(gpa.value + done), host + done, &step, mover);

        if (error != AX_OK) {
            return error;
        }
        done += step;
    }
    return AX_OK;
}

static AxError copy(AxAddrSpace *as, GuestPhysAddr gpa, uint8_t *host, uint64_t size, Mover mover)
{
    AxError error;

    if (size != 0 && gpa.value + (size - 1) < gpa.value) {
        return AX_EFAULT;
    }
    error = copy_pass(as, gpa, host, size, NULL);
    return error == AX_OK ? copy_pass(as, gpa, host, size, mover) : error;
}

// Bytes of a hole or a page from `gpa` on, cleared when it is a page.
static uint64_t zero_step(AxAddrSpace *as, GuestPhysAddr gpa, uint64_t left)
{
    HostPhysAddr hpa;
    AxWalk walk;
    uint64_t step;

    if (translate(as, gpa, 0, &hpa, &step) == AX_OK) {
        step = step > COPY_STEP ? COPY_STEP : step;
        step = step > left ? left : step;
        memset(axvm_host_pointer(as, hpa), 0, step);
        as->format->sync(axvm_host_pointer(as, hpa), step);
        return step;
    }
    axvm_walk(as, gpa, &walk);
    step = axvm_level_size(walk.level) - gpa.value % axvm_level_size(walk.level);
    return step > left ? left : step;
}

void axvm_zero_guest(AxAddrSpace *as, GuestPhysAddr gpa, uint64_t size)
{
    for (uint64_t done = 0; done < size;) {
        ax_lock(&as->lock);
        done += zero_step(as, ax_gpa(gpa.value + done), size - done);
        ax_unlock(&as->lock);
    }
}

AxError axvm_copy_to_guest(AxAddrSpace *as, GuestPhysAddr gpa, const void *data, uint64_t size)
{
    // Only move_from_guest writes through this pointer.
    return copy(as, gpa, (uint8_t *)(uintptr_t)data, size, move_to_guest);
}

AxError axvm_copy_from_guest(AxAddrSpace *as, GuestPhysAddr gpa, void *data, uint64_t size)
{
    return copy(as, gpa, data, size, move_from_guest);
}
