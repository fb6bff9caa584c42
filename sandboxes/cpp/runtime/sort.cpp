// The library's sorting of numbers once more, compiled with optimisation: the package's own was compiled without.
#include <algorithm>
#include <functional>

_LIBCPP_BEGIN_NAMESPACE_STD

template <class Less, class Iterator>
void __sort(Iterator first, Iterator last, Less) {
    if (first == last) return;
    const auto depth = 2 * std::__bit_log2(std::__to_unsigned_like(last - first));
    std::__introsort<_ClassicAlgPolicy, ranges::less, Iterator, __use_branchless_sort<ranges::less, Iterator>>(
        first, last, ranges::less(), depth);
}

#define GAVEL_SORT(type) template void __sort<__less<type> &, type *>(type *, type *, __less<type> &);

GAVEL_SORT(char)
GAVEL_SORT(signed char)
GAVEL_SORT(unsigned char)
GAVEL_SORT(short)
GAVEL_SORT(unsigned short)
GAVEL_SORT(int)
GAVEL_SORT(unsigned)
GAVEL_SORT(long)
GAVEL_SORT(unsigned long)
GAVEL_SORT(long long)
GAVEL_SORT(unsigned long long)
GAVEL_SORT(float)
GAVEL_SORT(double)

_LIBCPP_END_NAMESPACE_STD
