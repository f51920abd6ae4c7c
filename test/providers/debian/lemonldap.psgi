# The portal of LemonLDAP::NG, which contains the authorization server. LLNG_DEFAULTCONFFILE names its configuration.
use Lemonldap::NG::Portal;
Lemonldap::NG::Portal->run({});
