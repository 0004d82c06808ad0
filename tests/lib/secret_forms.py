"""Forms in which secrets stand in logs, and what tools ordinarily print that looks like one."""

VALUE = "s3cr3tV4lue"

SECRET_FORMS = """
"password": "VALUE"
PGPASSWORD=VALUE psql
dbPassword=VALUE
AWS_SECRET_ACCESS_KEY=VALUE
SECRET_KEY=VALUE
passphrase=VALUE
//reg/:_authToken=VALUE
curl --token VALUE x
x --password VALUE
x --password=VALUE
curl -u user:VALUE http://h
git clone https://VALUE@github.com/x
redis://:VALUE@h:6379/0
https://u:pa/VALUE@host/x
https://u:p@VALUE@host/x
Authorization: token VALUE
Authorization: Bearer VALUE
Cookie: session=VALUE; a=b
Set-Cookie: sid=VALUE; Path=/
machine h login u password VALUE
password: VALUE
password = VALUE
  db_password: VALUE
'api_key': 'VALUE'
API-KEY: VALUE
X-Api-Key: VALUE
PRIVATE-TOKEN: VALUE
export GITHUB_TOKEN=VALUE
+ TOKEN=VALUE
token=VALUE
?access_token=VALUE&x=1
client_secret=VALUE
-Dpassword=VALUE
--api-key VALUE
--db-pass VALUE
sshpass -p VALUE ssh h
mysql -uroot -pVALUE db
openssl rsa -passin pass:VALUE
Server=h;Uid=u;Pwd=VALUE;
IDENTIFIED BY "VALUE"
IDENTIFIED BY 'VALUE'
https://s3.amazonaws.com/x?X-Amz-Signature=VALUE0123456789
login failed with password: VALUE
ftp://user:VALUE@h/x
git+ssh://u:VALUE@h/x
postgres://u:VALUE@h/db
SECRET_KEY_BASE=VALUE
secret: VALUE
"token": "VALUE"
token: 'VALUE'
my.password=VALUE
PASSWORD="two words VALUE"
passwd=VALUE
PASSWD: VALUE
MYSQL_ROOT_PASSWORD=VALUE
--http-password=VALUE
wget --user=me --password=VALUE u
"secret":"VALUE"
{"accessToken":"VALUE"}
private_key=VALUE
encryption-key: VALUE
credentials=VALUE
https://user:@xVALUE@h/
CREDENTIALS: VALUE
""".strip().splitlines()
"""`VALUE` stands for the secret."""

KNOWN_TOKENS = [
    "AKIAIOSFODNN7EXAMPLE",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
    "glpat-abcDEF123456xyz7890_",
    "xoxb-123456789012-abcdefghijkl",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcDEF_123-x",
    "https://hooks.slack.com/services/T000/B000/XXXXXXXXXXXX",
    "npm_abcdefghijklmnopqrstuvwxyz0123456789",
    "sk-abcdefghijklmnopqrstuvwxyz012345",
    "AIzaSyA1234567890abcdefghijklmnopqrstuv",
]
"""Made up, and in two parts so that no scanner of repositories takes them for real."""

ORDINARY = """
passwd: command not found
test_login[password=None]
test_login[token=null] PASSED
test_login[user=x-token=]: ok
test_login[is_secret=false], test_login[is_secret=true]
login?token=None&user=x
pass:12 fail:3
# tests: 15 (pass:12, skip:3)
pass:12/15
test_token: PASSED
expected token = before x
bearer of bad news
/etc/passwd: Permission denied
error: expected ';' before '=' token
unexpected token ';' before
error: passwd.c:12
cat: /etc/passwd: No such file or directory
checking for passwd... /usr/bin/passwd
checking whether token is usable... yes
PASS: tests/passwd/test1
FAIL: test-password-quality
test_password (tests.test_auth.AuthTest) ... ok
test_secret_key PASSED [ 12%]
tests/test_tokens.py::test_token FAILED
lib/token.c:45:10: error: unknown type name 'token'
token.h:12: warning: unused variable 'token' [-Wunused-variable]
note: expected 'const struct token *' but argument is of type 'int'
parse error: unexpected token: NEWLINE
syntax error near unexpected token `('
bash: syntax error near unexpected token `newline'
SyntaxError: Unexpected token '<'
SyntaxError: Unexpected token } in JSON at position 12
error: missing binary operator before token "("
error: pasting "." and "x" does not give a valid preprocessing token
CONFIG_KEYS=y
CONFIG_SECRETMEM=y
CONFIG_TRUSTED_KEYS=m
# CONFIG_SECURITY_TOKEN is not set
CONFIG_SECRET=y
PWD=/home/lfs/build
OLDPWD=/sources
gcc -DHAVE_GETPASS=1 -DTOKEN=1 -c x.c
--with-passwd=no
--disable-password
configure: WARNING: unrecognized options: --with-password
option '--password' requires an argument
unrecognized option '--token'
  --password PASSWORD   the password
  --token <token>     token to use
  --api-key=KEY
usage: tool [--password PASSWORD] [--user USER]
http://host:8080/path/@scope/pkg
https://registry.example.org/@babel/core/-/core-7.0.0.tgz
https://host/path:8080 no@secret
git clone git@github.com:x/y.git
ssh://git@host/x
https://git@host/x
mailto:bug@example.org
Report bugs to <bug-gcc@gnu.org>
docker run -u 1000:1000 image
tar --owner=root:root
chown -R root:root /x
install -o root -g root
cookie: not found
Cookie jar is empty
checking for cookie support... yes
Authorization required
Authorization: failed
authorization not supported
secretary.c:12: error: foo
password.c: In function 'main':
In file included from token.c:1:
make[2]: *** [Makefile:12: token.o] Error 1
make: *** [passwd] Error 2
ld: undefined reference to `get_token'
undefined reference to `crypt_password'
key=value pairs
sort_key=name
Public key: not found
gpg: key 0123456789ABCDEF: public key "X" imported
gpg: using RSA key ABCDEF0123456789
signature: bad
monkey: banana
keyboard: us
tokens: 12
max_tokens=512
TOKEN_FILE=/run/token
password_file = /etc/x
token_type=bearer
PASS: 12
PASSED: 12
secret: not found
password: required
password is wrong
Password:
Enter passphrase:
[sudo] password for lfs:
sudo: a password is required
sudo: no tty present and no askpass program specified
su: Authentication failure
invalid token: ','
warning: token pasting
AssertionError: token == None
assert token == 'abc'
self.assertEqual(password, expected)
if (token == TOKEN_EOF) {
  token = next_token();
  token = lex(s);
    password = getpass("x")
case TOKEN: return 1;
PASSWORD=$(cat x)
PASSWORD=$DB_PASSWORD
PASSWORD=
password=""
token := p.next()
error: use of undeclared identifier 'password'
undefined: token
Error: secret "db" not found
  12 | int token = 0;
  const token = await x;
""".strip("\n").splitlines()
