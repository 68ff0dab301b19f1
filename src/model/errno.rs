// SPDX-License-Identifier: MIT OR Apache-2.0
//! Errors of system calls by name, as errno(3) has them.

use std::borrow::Cow;
use std::fmt;

/// The number of an error on this architecture, from 1 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Errno(pub u16);

macro_rules! names {
    ($($name:ident)*) => { &[$((libc::$name, stringify!($name))),*] };
}

/// Of two names of one number the more common one stands alone.
const NAMES: &[(i32, &str)] = names! {
    EPERM ENOENT ESRCH EINTR EIO ENXIO E2BIG ENOEXEC EBADF ECHILD EAGAIN ENOMEM EACCES EFAULT
    ENOTBLK EBUSY EEXIST EXDEV ENODEV ENOTDIR EISDIR EINVAL ENFILE EMFILE ENOTTY ETXTBSY EFBIG
    ENOSPC ESPIPE EROFS EMLINK EPIPE EDOM ERANGE EDEADLK ENAMETOOLONG ENOLCK ENOSYS ENOTEMPTY ELOOP
    ENOMSG EIDRM ECHRNG EL2NSYNC EL3HLT EL3RST ELNRNG EUNATCH ENOCSI EL2HLT EBADE EBADR EXFULL
    ENOANO EBADRQC EBADSLT EBFONT ENOSTR ENODATA ETIME ENOSR ENONET ENOPKG EREMOTE ENOLINK EADV
    ESRMNT ECOMM EPROTO EMULTIHOP EDOTDOT EBADMSG EOVERFLOW ENOTUNIQ EBADFD EREMCHG ELIBACC ELIBBAD
    ELIBSCN ELIBMAX ELIBEXEC EILSEQ ERESTART ESTRPIPE EUSERS ENOTSOCK EDESTADDRREQ EMSGSIZE
    EPROTOTYPE ENOPROTOOPT EPROTONOSUPPORT ESOCKTNOSUPPORT EOPNOTSUPP EPFNOSUPPORT EAFNOSUPPORT
    EADDRINUSE EADDRNOTAVAIL ENETDOWN ENETUNREACH ENETRESET ECONNABORTED ECONNRESET ENOBUFS EISCONN
    ENOTCONN ESHUTDOWN ETOOMANYREFS ETIMEDOUT ECONNREFUSED EHOSTDOWN EHOSTUNREACH EALREADY
    EINPROGRESS ESTALE EUCLEAN ENOTNAM ENAVAIL EISNAM EREMOTEIO EDQUOT ENOMEDIUM EMEDIUMTYPE
    ECANCELED ENOKEY EKEYEXPIRED EKEYREVOKED EKEYREJECTED EOWNERDEAD ENOTRECOVERABLE ERFKILL
    EHWPOISON
};

impl Errno {
    /// What execvp(3) says in the end when it found a file, but none that it may run.
    pub const EACCES: Self = Self(libc::EACCES as u16);

    /// With this execvp(3) goes on to the next directory, and forgets it: glibc's posix/execvpe.c.
    pub fn is_of_one_directory(self) -> bool {
        let of_one = [libc::ENOENT, libc::ESTALE, libc::ENOTDIR, libc::ENODEV, libc::ETIMEDOUT];
        of_one.contains(&i32::from(self.0))
    }

    /// The name: `ENOENT`, or `E999` where there is none.
    pub fn name(self) -> Cow<'static, str> {
        let known = NAMES.iter().find(|(number, _)| *number == i32::from(self.0));
        known.map_or_else(|| format!("E{}", self.0).into(), |(_, name)| (*name).into())
    }

    /// The error that [`Self::name`] names.
    pub fn from_name(name: &str) -> Option<Self> {
        let known = NAMES.iter().find(|(_, known)| *known == name).map(|(number, _)| *number);
        let number = match known {
            Some(number) => number.try_into().ok()?,
            None => name.strip_prefix('E')?.parse().ok()?,
        };
        Some(Self(number)).filter(|errno| errno.name() == name)
    }
}

/// `ENOENT (No such file or directory)`
impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = std::io::Error::from_raw_os_error(self.0.into()).to_string();
        let meaning = text.split(" (os error").next().unwrap_or_default();
        write!(f, "{} ({meaning})", self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_leads_back_to_its_number() {
        for number in 1..=600 {
            assert_eq!(Errno::from_name(&Errno(number).name()), Some(Errno(number)));
        }
        for name in ["", "E", "ENONE", "E02", "E2", "ENOENT ", "E99999"] {
            assert_eq!(Errno::from_name(name), None, "{name}");
        }
    }

    #[test]
    fn an_error_says_what_it_means() {
        assert_eq!(Errno(2).to_string(), "ENOENT (No such file or directory)");
        assert_eq!(Errno(40).name(), "ELOOP");
        assert_eq!(Errno(523).name(), "E523");
    }

    /// Those that the C library knows; 41 and 58 were given up.
    #[test]
    fn no_number_below_the_last_is_left_out() {
        for number in (1..=133).filter(|number| ![41, 58].contains(number)) {
            let name = Errno(number).name();
            assert!(!name[1..].starts_with(|c: char| c.is_ascii_digit()) || name == "E2BIG");
        }
    }
}
