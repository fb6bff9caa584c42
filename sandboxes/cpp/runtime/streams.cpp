// The library's strings and streams once more, compiled with optimisation and with exceptions: the package's own
// were compiled with neither. They are linked before it, and so win.
#include <fstream>
#include <iostream>
#include <locale>
#include <sstream>
#include <string>

_LIBCPP_BEGIN_NAMESPACE_STD

template class basic_string<char>;
template class basic_string<wchar_t>;

template class basic_streambuf<char>;
template class basic_ios<char>;
template class basic_istream<char>;
template class basic_ostream<char>;
template class basic_iostream<char>;
template class basic_stringbuf<char>;
template class basic_istringstream<char>;
template class basic_ostringstream<char>;
template class basic_stringstream<char>;
template class basic_filebuf<char>;
template class basic_ifstream<char>;
template class basic_ofstream<char>;
template class basic_fstream<char>;

template class num_get<char>;
template class num_put<char>;

_LIBCPP_END_NAMESPACE_STD
